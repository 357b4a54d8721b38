// Creating, opening and closing a queue. What a file is and how it gets its name: shared/file.h.
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "shared/file.h"
#include "shared/identity.h"
#include "shared/spin.h"

static const ipckit_queue_options_t defaults;

int ipckit_queue_unlink(const char* name, const char* directory) { return ring_path_unlink(name, directory); }

// The identity.
static uint64_t checksum_of(const ipckit_layout_identity_t* identity) {
  return ring_identity_checksum(identity, offsetof(ipckit_layout_identity_t, checksum));
}

static uint32_t default_block(uint64_t max_message_bytes) {
  // Small ones waste less, large ones cost fewer steps.
  return max_message_bytes <= 16384 ? 256 : 4096;
}

static int geometry_from_options(ring_geometry* g, const ipckit_queue_options_t* o) {
  *g = (ring_geometry){0};
  g->capacity = o->capacity ? o->capacity : 1024;
  g->dead_capacity = o->dead_capacity;
  if (g->dead_capacity > RING_MAX_CAPACITY) return -EINVAL;
  g->cells = g->capacity + g->dead_capacity;
  g->priorities = o->priorities ? o->priorities : 10;
  g->participants = o->participants ? o->participants : 256;
  g->max_deliveries = o->max_deliveries;
  g->flags = o->flags & IPCKIT_QUEUE_JOINABLE;
  g->copy_outside_bytes = o->copy_outside_bytes ? o->copy_outside_bytes : 4096;
  g->max_message_bytes = o->max_message_bytes ? o->max_message_bytes : 8192;
  if (o->max_message_bytes == 0 && o->capacity_bytes != 0 && g->max_message_bytes > o->capacity_bytes) {
    g->max_message_bytes = o->capacity_bytes;
  }
  if (g->max_message_bytes > RING_MAX_MESSAGE) return -EINVAL;
  g->block_bytes = o->block_bytes ? o->block_bytes : default_block(g->max_message_bytes);
  if (g->block_bytes < 64) return -EINVAL;
  g->capacity_bytes = o->capacity_bytes;
  if (g->capacity_bytes == 0) {
    // Every message as large as can be, or 8 MiB: the pages are reserved at once.
    const uint64_t some = 8ULL << 20;
    uint64_t rounded = (g->max_message_bytes + g->block_bytes - 1) / g->block_bytes * g->block_bytes;
    g->capacity_bytes = g->capacity * rounded < some ? g->capacity * rounded : some;
    if (g->capacity_bytes < rounded) g->capacity_bytes = rounded;
  }
  if (g->capacity_bytes < g->max_message_bytes || g->capacity_bytes > RING_MAX_BYTES) return -EINVAL;
  uint64_t blocks = (g->capacity_bytes + g->block_bytes - 1) / g->block_bytes;
  if (g->max_message_bytes <= IPCKIT_LAYOUT_INLINE) blocks = 0;
  if (blocks > RING_MAX_BLOCKS) return -EINVAL;
  g->blocks = (uint32_t)blocks;
  return ring_geometry_derive(g) ? 0 : -EINVAL;
}

static int identity_from_options(ipckit_layout_identity_t* id, const ring_geometry* g,
                                 const ipckit_queue_options_t* o) {
  memset(id, 0, sizeof *id);
  int result = ring_start_fill(&id->start, IPCKIT_LAYOUT_MAGIC, g->total_bytes);
  if (result < 0) return result;
  id->max_message_bytes = g->max_message_bytes;
  id->capacity_bytes = g->capacity_bytes;
  id->capacity = g->capacity;
  id->dead_capacity = g->dead_capacity;
  id->cells = g->cells;
  id->priorities = g->priorities;
  id->participants = g->participants;
  id->blocks = g->blocks;
  id->block_bytes = g->block_bytes;
  id->copy_outside_bytes = g->copy_outside_bytes;
  id->max_deliveries = g->max_deliveries;
  id->flags = g->flags;
  id->created = ring_realtime();
  id->fingerprint = o->fingerprint;
  ring_type_fill(id->type_name, o->type_name);
  id->checksum = checksum_of(id);
  return 0;
}

static bool geometry_from_identity(ring_geometry* g, const ipckit_layout_identity_t* id) {
  *g = (ring_geometry){.capacity = id->capacity,
                       .dead_capacity = id->dead_capacity,
                       .cells = id->cells,
                       .priorities = id->priorities,
                       .participants = id->participants,
                       .blocks = id->blocks,
                       .block_bytes = id->block_bytes,
                       .copy_outside_bytes = id->copy_outside_bytes,
                       .max_deliveries = id->max_deliveries,
                       .flags = id->flags,
                       .max_message_bytes = id->max_message_bytes,
                       .capacity_bytes = id->capacity_bytes};
  return ring_geometry_derive(g);
}

// Handles.
static ring_queue* new_handle(int fd, const ring_geometry* g, const ipckit_layout_identity_t* id,
                              const ipckit_queue_options_t* o) {
  ring_queue* q = calloc(1, sizeof *q);
  if (q == NULL) return NULL;
  q->people.fd = fd;
  ring_file_know(&q->people);
  q->g = *g;
  q->identity = *id;
  q->prefetch = o->prefetch;
  q->until_look = 256;  // attaching looks around
  q->spins[0] = q->spins[1] = q->spins[2] = ring_spins_begin();
  pthread_mutex_init(&q->tasks_lock, NULL);
  return q;
}

// The geometry is known and the file is as large as it says.
static int map(ring_queue* q) {
  int result = ring_map(&q->map, &q->people, q->g.total_bytes);
  if (result < 0) return result;
  uint8_t* bytes = q->map.start;
  q->h = q->map.start;
  q->people.table = (ipckit_layout_participant_t*)(bytes + q->g.people_at);
  q->people.count = q->g.participants;
  q->cells = (ipckit_layout_cell_t*)(bytes + q->g.cells_at);
  q->rings = (uint32_t*)(bytes + q->g.rings_at);
  q->free = (uint32_t*)(bytes + q->g.free_at);
  q->heaps = (uint32_t*)(bytes + q->g.heaps_at);
  q->free_blocks = (uint32_t*)(bytes + q->g.free_blocks_at);
  q->links = (uint32_t*)(bytes + q->g.links_at);
  q->marks = (uint64_t*)(bytes + q->g.marks_at);
  q->blocks = bytes + q->g.blocks_at;
  return 0;
}

static void destroy(ring_queue* q) {
  if (q->people.fd >= 0) close(q->people.fd);
  ring_unmap(&q->map);
  pthread_mutex_destroy(&q->tasks_lock);
  free(q->tasks.tokens);
  free(q);
}

// Gives everything back that carries our slot.
static int give_all_back(ring_queue* q) {
  int64_t result = ring_enter_both(q);
  if (result < 0) return (int)result;
  result = ring_leave_both(q, ring_rebuild(q, true));
  if (result == 0) ring_wake_everyone(q);
  return (int)result;
}

static int attach(ring_queue* q, const ipckit_queue_options_t* o) {
  int result = ring_people_attach(&q->people, o->participant);
  if (result < 0) return result;
  // The place was that of somebody dead: what looks like ours was its. Otherwise others may have died
  // meanwhile.
  result = result == RING_FOUND_DEAD ? give_all_back(q) : ipckit_queue_sweep(q);
  if (result >= 0) return 0;
  ring_people_abandon(&q->people);
  return result;
}

int ipckit_queue_close(ipckit_queue_t* q) {
  if (q == NULL) return -EFAULT;
  int result = 0;
  if (!ring_people_forked(&q->people) && ring_usable(q) == 0) {
    // Should that fail we leave as the dead do, and the others recover.
    bool holds = ring_load(&q->leases) != 0 || ring_load(&q->h->writing) != 0;
    if (holds) result = give_all_back(q);
    // A wake-up may have been meant for a thread of ours.
    ipckit_queue_disarm(q, IPCKIT_WAIT_ITEMS | IPCKIT_WAIT_SPACE);
  }
  if (result < 0 || ring_load(&q->map.lost))
    ring_people_abandon(&q->people);
  else
    ring_people_detach(&q->people);
  destroy(q);
  return 0;
}

// Creating.
static void fill(ring_queue* q) {
  ipckit_layout_header_t* h = q->h;
  h->identity = q->identity;
  h->identity.start.version = 0;
  h->state = IPCKIT_STATE_OPEN;
  h->next_seq = 1;
  h->items.event = h->space.event = h->tasks.event = 1;
  for (uint32_t i = 0; i < q->g.cells; i++) {
    q->cells[i].truth = ring_truth(IPCKIT_CELL_FREE, 0, 0, 0);
    q->free[i] = i;
  }
  h->free_tail = h->free_seen = q->g.cells;
  for (uint32_t i = 0; i < q->g.blocks; i++) q->free_blocks[i] = i;
  h->block_tail = h->block_seen = q->g.blocks;
  // Published last: a file without a version is none of ours.
  ring_store_release(&h->identity.start.version, q->identity.start.version);
}

static int make(ring_queue* q, const ring_path* path, const ring_draft* draft,
                const ipckit_queue_options_t* o) {
  int result = ring_draft_reserve(draft, o->mode ? o->mode : 0600, q->g.total_bytes);
  if (result < 0) return result;
  result = map(q);
  if (result < 0) return result;
  fill(q);
  result = attach(q, o);
  if (result < 0) return result;
  result = ring_draft_publish(draft, path);
  if (result < 0) ring_people_detach(&q->people);
  return result;
}

static int create(const ring_path* path, const ipckit_queue_options_t* o, ipckit_queue_t** queue) {
  ring_geometry g;
  ipckit_layout_identity_t id;
  ring_draft draft;
  int result = geometry_from_options(&g, o);
  if (result == 0) result = identity_from_options(&id, &g, o);
  if (result == 0) result = ring_draft_begin(&draft, path);
  if (result < 0) return result;
  ring_queue* q = new_handle(draft.fd, &g, &id, o);
  if (q == NULL) {
    close(draft.fd);
    result = -ENOMEM;
  } else {
    result = make(q, path, &draft, o);
    if (result < 0) destroy(q);
  }
  if (result < 0) ring_draft_forget(&draft);
  if (result == 0) *queue = q;
  return result;
}

// Opening.
static int check_identity(const ipckit_layout_identity_t* id, const ipckit_queue_options_t* o,
                          ipckit_refusal_t* refusal, ring_geometry* g) {
  int result = ring_start_check(&id->start, IPCKIT_LAYOUT_MAGIC, refusal);
  if (result < 0) return result;
  if (id->checksum != checksum_of(id)) return IPCKIT_E_CORRUPT;
  if (!geometry_from_identity(g, id)) return IPCKIT_E_CORRUPT;
  if (g->total_bytes != id->start.total_bytes || g->total_bytes != refusal->size_bytes) return IPCKIT_E_SIZE;
  return ring_type_check(id->fingerprint, id->type_name, o->fingerprint, refusal);
}

static int read_checked(int fd, const ipckit_queue_options_t* o, ipckit_refusal_t* refusal,
                        ipckit_layout_identity_t* id, ring_geometry* g) {
  const ring_trust trust = {o->flags & IPCKIT_QUEUE_ANY_OWNER, o->flags & IPCKIT_QUEUE_ANY_MODE};
  int result = ring_file_check(fd, trust, sizeof(ipckit_layout_header_t), refusal);
  if (result == 0) result = ring_file_read(fd, id, sizeof *id, 0);
  return result < 0 ? result : check_identity(id, o, refusal, g);
}

typedef struct opening {
  const ipckit_queue_options_t* options;
  ipckit_refusal_t* refusal;
  ipckit_queue_t** queue;
} opening;

// Owns the descriptor from here on.
static int open_found(int fd, void* context) {
  const opening* wish = context;
  const ipckit_queue_options_t* o = wish->options;
  ipckit_layout_identity_t id;
  ring_geometry g;
  int result = read_checked(fd, o, wish->refusal, &id, &g);
  ring_queue* q = result < 0 ? NULL : new_handle(fd, &g, &id, o);
  if (q == NULL) {
    close(fd);
    return result < 0 ? result : -ENOMEM;
  }
  result = map(q);
  if (result == 0) result = attach(q, o);
  if (result < 0)
    destroy(q);
  else
    *wish->queue = q;
  return result;
}

// The three doors.
int ipckit_queue_create(const char* name, const ipckit_queue_options_t* options, ipckit_refusal_t* refusal,
                        ipckit_queue_t** queue) {
  ring_path path;
  (void)refusal;
  if (queue == NULL) return -EFAULT;
  int result = ring_path_make(&path, name, options ? options->directory : NULL);
  return result < 0 ? result : create(&path, options ? options : &defaults, queue);
}

int ipckit_queue_open(const char* name, const ipckit_queue_options_t* options, ipckit_refusal_t* refusal,
                      ipckit_queue_t** queue) {
  ring_path path;
  ipckit_refusal_t unwanted;
  if (queue == NULL) return -EFAULT;
  if (refusal == NULL) refusal = &unwanted;
  memset(refusal, 0, sizeof *refusal);
  int result = ring_path_make(&path, name, options ? options->directory : NULL);
  opening wish = {options ? options : &defaults, refusal, queue};
  return result < 0 ? result : ring_file_open(&path, open_found, &wish);
}

int ipckit_queue_open_or_create(const char* name, const ipckit_queue_options_t* options,
                                ipckit_refusal_t* refusal, ipckit_queue_t** queue) {
  int result = -ENOENT;
  for (int attempt = 0; attempt < RING_OPEN_ATTEMPTS; attempt++) {
    result = ipckit_queue_open(name, options, refusal, queue);
    if (result != -ENOENT) return result;
    result = ipckit_queue_create(name, options, refusal, queue);
    if (result != -EEXIST) return result < 0 ? result : 1;
  }
  return result;
}
