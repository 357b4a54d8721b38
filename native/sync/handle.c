// Creating, opening and closing an object. What a file is and how it gets its name: shared/file.h.
#include <stdlib.h>
#include <string.h>

#include "shared/file.h"
#include "shared/identity.h"
#include "shared/spin.h"
#include "sync.h"

_Static_assert(sizeof(ipckit_layout_sync_identity_t) == RING_IDENTITY_BYTES, "identity");
_Static_assert(offsetof(ipckit_layout_sync_header_t, state) == 512, "state");
_Static_assert(offsetof(ipckit_layout_sync_header_t, guard) == 640, "guard");
_Static_assert(offsetof(ipckit_layout_sync_header_t, lock) == 768, "lock");
_Static_assert(offsetof(ipckit_layout_sync_header_t, dead_pid) == 896, "death");
_Static_assert(offsetof(ipckit_layout_sync_header_t, event) == 1024, "event");
_Static_assert(offsetof(ipckit_layout_sync_header_t, tickets) == 1152, "room");
_Static_assert(sizeof(ipckit_layout_sync_header_t) == 4096, "header");
_Static_assert(sizeof(ipckit_layout_waiter_t) == 64, "waiter");

static const ipckit_sync_options_t defaults;

int ipckit_sync_unlink(const char* name, const char* directory) { return ring_path_unlink(name, directory); }
int ipckit_sync_is_unlinked(ipckit_sync_t* s) { return ring_file_is_unlinked(&s->people); }

// Sizes and places.
// Fills in what is derived. False when the numbers are out of range. Made in 64 bits from operands that were
// bounded first, so no sum overflows.
static bool derive(sync_geometry* g) {
  if (g->kind < IPCKIT_KIND_LOCK || g->kind > IPCKIT_KIND_VALUE) return false;
  if (g->participants < 2 || g->participants > RING_MAX_PARTICIPANTS) return false;
  if (sync_has_room(g->kind) ? g->waiters < 1 || g->waiters > SYNC_MAX_WAITERS : g->waiters != 0)
    return false;
  if (g->kind == IPCKIT_KIND_VALUE ? g->bytes < 1 || g->bytes > SYNC_MAX_BYTES : g->bytes != 0) return false;
  if (g->limit > SYNC_MAX_VALUE) return false;
  if (g->kind == IPCKIT_KIND_BARRIER) {
    if (g->limit < 1 || g->limit > SYNC_MAX_PARTIES || g->limit > g->waiters) return false;
  } else if (!sync_is_semaphore(g->kind) && g->limit != 0) {
    return false;
  }
  uint64_t at = sizeof(ipckit_layout_sync_header_t);
  g->people_at = ring_section(&at, (uint64_t)g->participants * sizeof(ipckit_layout_participant_t), 128);
  g->waiters_at = ring_section(&at, (uint64_t)g->waiters * sizeof(ipckit_layout_waiter_t), 128);
  g->bytes_at = ring_section(&at, g->bytes, 128);
  g->total_bytes = (at + 4095) & ~4095ULL;
  return true;
}

static int geometry_from_options(sync_geometry* g, const ipckit_sync_options_t* o) {
  *g = (sync_geometry){.kind = o->kind, .participants = o->participants ? o->participants : 256};
  if (sync_has_room(o->kind)) g->waiters = o->waiters ? o->waiters : SYNC_MAX_WAITERS;
  if (sync_is_semaphore(o->kind) || o->kind == IPCKIT_KIND_BARRIER) g->limit = o->value;
  if (o->kind == IPCKIT_KIND_VALUE) g->bytes = o->bytes;
  return derive(g) ? 0 : -EINVAL;
}

static bool geometry_from_identity(sync_geometry* g, const ipckit_layout_sync_identity_t* id) {
  *g = (sync_geometry){.kind = id->kind,
                       .participants = id->participants,
                       .waiters = id->waiters,
                       .limit = id->limit,
                       .bytes = id->bytes};
  return derive(g);
}

// The identity.
static uint64_t checksum_of(const ipckit_layout_sync_identity_t* identity) {
  return ring_identity_checksum(identity, offsetof(ipckit_layout_sync_identity_t, checksum));
}

static int identity_from_options(ipckit_layout_sync_identity_t* id, const sync_geometry* g,
                                 const ipckit_sync_options_t* o) {
  memset(id, 0, sizeof *id);
  int result = ring_start_fill(&id->start, IPCKIT_LAYOUT_SYNC_MAGIC, g->total_bytes);
  if (result < 0) return result;
  id->kind = g->kind;
  id->participants = g->participants;
  id->waiters = g->waiters;
  id->limit = g->limit;
  id->bytes = g->bytes;
  id->created = ring_realtime();
  id->fingerprint = o->fingerprint;
  ring_type_fill(id->type_name, o->type_name);
  id->checksum = checksum_of(id);
  return 0;
}

// Handles.
static ipckit_sync* new_handle(int fd, const sync_geometry* g, const ipckit_layout_sync_identity_t* id,
                               const ipckit_sync_options_t* o) {
  ipckit_sync* s = calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  s->people.fd = fd;
  ring_file_know(&s->people);
  s->people.roles = o->flags & IPCKIT_SYNC_OBSERVER ? IPCKIT_ROLE_OBSERVER : 0;
  s->g = *g;
  s->identity = *id;
  s->spins = ring_spins_begin();
  return s;
}

static int map(ipckit_sync* s) {
  int result = ring_map(&s->map, &s->people, s->g.total_bytes);
  if (result < 0) return result;
  uint8_t* bytes = s->map.start;
  s->h = s->map.start;
  s->people.table = (ipckit_layout_participant_t*)(bytes + s->g.people_at);
  s->people.count = s->g.participants;
  s->waiters = (ipckit_layout_waiter_t*)(bytes + s->g.waiters_at);
  s->bytes = bytes + s->g.bytes_at;
  return 0;
}

static void destroy(ipckit_sync* s) {
  if (s->people.fd >= 0) close(s->people.fd);
  ring_unmap(&s->map);
  free(s);
}

// Gives everything back that carries our slot.
static int give_all_back(ipckit_sync* s) {
  sync_wakes wakes;
  int result = sync_enter(s, &wakes);
  return result < 0 ? result : sync_leave(s, &wakes, sync_repair(s, &wakes, true));
}

static int attach(ipckit_sync* s, const ipckit_sync_options_t* o) {
  int result = ring_people_attach(&s->people, o->participant);
  if (result < 0) return result;
  // The place was that of somebody dead, or others may have died meanwhile.
  if (result == RING_FOUND_DEAD) {
    sync_wakes wakes;
    result = sync_enter(s, &wakes);
    if (result == 0) result = sync_leave(s, &wakes, sync_repair(s, &wakes, false));
  } else {
    result = ipckit_sync_sweep(s);
  }
  if (result >= 0) return 0;
  ring_people_abandon(&s->people);
  return result;
}

// Whether there is anything to give back: most handles close with nothing.
static bool holds(ipckit_sync* s) {
  const uint32_t kind = s->g.kind, slot = s->people.slot;
  if ((ring_load(&s->h->lock) & ~RING_LOCK_SLEEPERS) == s->people.tag) return true;
  if (ring_load(&s->h->writer) == s->people.tag) return true;
  if ((sync_is_semaphore(kind) || kind == IPCKIT_KIND_RWLOCK) && ring_load(sync_held(s, slot)) != 0)
    return true;
  return ring_load(&s->people.table[slot].waiting) != 0;
}

static void leave(ipckit_sync* s, bool as_dead) {
  if (as_dead || ring_load(&s->map.lost))
    ring_people_abandon(&s->people);
  else
    ring_people_detach(&s->people);
  destroy(s);
}

int ipckit_sync_close(ipckit_sync_t* s) {
  if (s == NULL) return -EFAULT;
  int result = 0;
  if (!ring_people_forked(&s->people) && sync_usable(s) == 0 && holds(s)) result = give_all_back(s);
  // Should that fail we leave as the dead do, and the others repair.
  leave(s, result < 0);
  return 0;
}

int ipckit_sync_abandon(ipckit_sync_t* s) {
  if (s == NULL) return -EFAULT;
  leave(s, !ring_people_forked(&s->people) && sync_usable(s) == 0 && holds(s));
  return 0;
}

// Creating.
static void fill(ipckit_sync* s, const ipckit_sync_options_t* o) {
  ipckit_layout_sync_header_t* h = s->h;
  h->identity = s->identity;
  h->identity.start.version = 0;
  h->state = IPCKIT_STATE_OPEN;
  if (sync_is_semaphore(s->g.kind)) h->value = h->total = s->g.limit;
  if (o->initial && s->g.bytes > 0) memcpy(s->bytes, o->initial, s->g.bytes);
  // Published last: a file without a version is none of ours.
  ring_store_release(&h->identity.start.version, s->identity.start.version);
}

static int make(ipckit_sync* s, const ring_path* path, const ring_draft* draft,
                const ipckit_sync_options_t* o) {
  int result = ring_draft_reserve(draft, o->mode ? o->mode : 0600, s->g.total_bytes);
  if (result < 0) return result;
  result = map(s);
  if (result < 0) return result;
  fill(s, o);
  result = attach(s, o);
  if (result < 0) return result;
  result = ring_draft_publish(draft, path);
  if (result < 0) ring_people_detach(&s->people);
  return result;
}

static int create(const ring_path* path, const ipckit_sync_options_t* o, ipckit_sync_t** sync) {
  sync_geometry g;
  ipckit_layout_sync_identity_t id;
  ring_draft draft;
  int result = geometry_from_options(&g, o);
  if (result == 0) result = identity_from_options(&id, &g, o);
  if (result == 0) result = ring_draft_begin(&draft, path);
  if (result < 0) return result;
  ipckit_sync* s = new_handle(draft.fd, &g, &id, o);
  if (s == NULL) {
    close(draft.fd);
    result = -ENOMEM;
  } else {
    result = make(s, path, &draft, o);
    if (result < 0) destroy(s);
  }
  if (result < 0) ring_draft_forget(&draft);
  if (result == 0) *sync = s;
  return result;
}

// Opening.
static int check_identity(const ipckit_layout_sync_identity_t* id, const ipckit_sync_options_t* o,
                          ipckit_refusal_t* refusal, sync_geometry* g) {
  int result = ring_start_check(&id->start, IPCKIT_LAYOUT_SYNC_MAGIC, refusal);
  if (result < 0) return result;
  if (id->checksum != checksum_of(id)) return IPCKIT_E_CORRUPT;
  if (!geometry_from_identity(g, id)) return IPCKIT_E_CORRUPT;
  if (g->total_bytes != id->start.total_bytes || g->total_bytes != refusal->size_bytes) return IPCKIT_E_SIZE;
  refusal->kind = g->kind;
  refusal->bytes = g->bytes;
  if (o->kind != 0 && o->kind != g->kind) return IPCKIT_E_KIND;
  result = ring_type_check(id->fingerprint, id->type_name, o->fingerprint, refusal);
  return result == 0 && o->bytes != 0 && o->bytes != g->bytes ? IPCKIT_E_TYPE : result;
}

static int read_checked(int fd, const ipckit_sync_options_t* o, ipckit_refusal_t* refusal,
                        ipckit_layout_sync_identity_t* id, sync_geometry* g) {
  const ring_trust trust = {o->flags & IPCKIT_SYNC_ANY_OWNER, o->flags & IPCKIT_SYNC_ANY_MODE};
  int result = ring_file_check(fd, trust, sizeof(ipckit_layout_sync_header_t), refusal);
  if (result == 0) result = ring_file_read(fd, id, sizeof *id, 0);
  return result < 0 ? result : check_identity(id, o, refusal, g);
}

typedef struct opening {
  const ipckit_sync_options_t* options;
  ipckit_refusal_t* refusal;
  ipckit_sync_t** sync;
} opening;

// Owns the descriptor from here on.
static int open_found(int fd, void* context) {
  const opening* wish = context;
  const ipckit_sync_options_t* o = wish->options;
  ipckit_layout_sync_identity_t id;
  sync_geometry g;
  int result = read_checked(fd, o, wish->refusal, &id, &g);
  ipckit_sync* s = result < 0 ? NULL : new_handle(fd, &g, &id, o);
  if (s == NULL) {
    close(fd);
    return result < 0 ? result : -ENOMEM;
  }
  result = map(s);
  if (result == 0) result = attach(s, o);
  if (result < 0)
    destroy(s);
  else
    *wish->sync = s;
  return result;
}

// The three doors.
int ipckit_sync_create(const char* name, const ipckit_sync_options_t* options, ipckit_refusal_t* refusal,
                       ipckit_sync_t** sync) {
  ring_path path;
  (void)refusal;
  if (sync == NULL) return -EFAULT;
  int result = ring_path_make(&path, name, options ? options->directory : NULL);
  return result < 0 ? result : create(&path, options ? options : &defaults, sync);
}

int ipckit_sync_open(const char* name, const ipckit_sync_options_t* options, ipckit_refusal_t* refusal,
                     ipckit_sync_t** sync) {
  ring_path path;
  ipckit_refusal_t unwanted;
  if (sync == NULL) return -EFAULT;
  if (refusal == NULL) refusal = &unwanted;
  memset(refusal, 0, sizeof *refusal);
  int result = ring_path_make(&path, name, options ? options->directory : NULL);
  opening wish = {options ? options : &defaults, refusal, sync};
  return result < 0 ? result : ring_file_open(&path, open_found, &wish);
}

int ipckit_sync_open_or_create(const char* name, const ipckit_sync_options_t* options,
                               ipckit_refusal_t* refusal, ipckit_sync_t** sync) {
  int result = -ENOENT;
  for (int attempt = 0; attempt < RING_OPEN_ATTEMPTS; attempt++) {
    result = ipckit_sync_open(name, options, refusal, sync);
    if (result != -ENOENT) return result;
    result = ipckit_sync_create(name, options, refusal, sync);
    if (result != -EEXIST) return result < 0 ? result : 1;
  }
  return result;
}

int ipckit_sync_descriptor(ipckit_sync_t* s) {
  int result = sync_usable(s);
  return result < 0 ? result : s->people.fd;
}

void* ipckit_value_bytes(ipckit_sync_t* s, size_t* length) {
  if (s->g.kind != IPCKIT_KIND_VALUE) return NULL;
  if (length) *length = s->g.bytes;
  return s->bytes;
}
