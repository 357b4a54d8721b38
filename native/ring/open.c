// Names, creating, opening and closing. A queue is made without a name, filled, and given its name last, so
// nobody ever meets half of one; a file is opened only after everything about it was checked, in the order of
// the error codes of <ipckit/queue.h>.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "queue.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

#define NAME_LIMIT 200
// A file in the middle of being renamed has two names, or none, for a moment.
#define OPEN_ATTEMPTS 20

static const ipckit_queue_options_t defaults;

// Names.
typedef struct path {
  char directory[PATH_MAX];
  char file[PATH_MAX + NAME_LIMIT + 16];
} path;

static int make_path(path* p, const char* name, const char* directory) {
  if (name == NULL) return -EFAULT;
  if (name[0] == '/') name++;
  size_t length = strlen(name);
  if (length == 0 || strchr(name, '/') != NULL) return -EINVAL;
  if (length > NAME_LIMIT) return -ENAMETOOLONG;
  if (directory == NULL) directory = "/dev/shm";
  if (strlen(directory) >= sizeof p->directory) return -ENAMETOOLONG;
  snprintf(p->directory, sizeof p->directory, "%s", directory);
  snprintf(p->file, sizeof p->file, "%s/ipckit.%s", directory, name);
  // A program that runs with more rights than its caller has must not be led to files by it.
  return getauxval(AT_SECURE) ? -EPERM : 0;
}

int ipckit_queue_unlink(const char* name, const char* directory) {
  path p;
  int result = make_path(&p, name, directory);
  if (result < 0) return result;
  return unlink(p.file) < 0 ? -errno : 0;
}

// The identity.
static uint64_t checksum_of(const ipckit_layout_identity_t* identity) {
  ipckit_layout_identity_t copy = *identity;
  copy.version = 0;
  copy.checksum = 0;
  uint64_t hash = 0xcbf29ce484222325ULL;
  const uint8_t* bytes = (const uint8_t*)&copy;
  for (size_t i = 0; i < sizeof copy; i++) hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
  return hash;
}

static uint32_t default_block(uint64_t max_message_bytes) {
  // Small ones waste less, large ones cost fewer steps.
  return max_message_bytes <= 16384 ? 256 : 4096;
}

static int geometry_from_options(ring_geometry* g, const ipckit_queue_options_t* o) {
  *g = (ring_geometry){0};
  g->capacity = o->capacity ? o->capacity : 1024;
  g->dead_capacity = o->dead_capacity;
  if (g->dead_capacity > 1U << 24) return -EINVAL;
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
  if (g->max_message_bytes > 256ULL << 20) return -EINVAL;
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
  if (g->capacity_bytes < g->max_message_bytes || g->capacity_bytes > 1ULL << 40) return -EINVAL;
  uint64_t blocks = (g->capacity_bytes + g->block_bytes - 1) / g->block_bytes;
  if (g->max_message_bytes <= IPCKIT_LAYOUT_INLINE) blocks = 0;
  if (blocks > 1U << 28) return -EINVAL;
  g->blocks = (uint32_t)blocks;
  return ring_geometry_derive(g) ? 0 : -EINVAL;
}

static int identity_from_options(ipckit_layout_identity_t* id, const ring_geometry* g,
                                 const ipckit_queue_options_t* o) {
  memset(id, 0, sizeof *id);
  id->magic = IPCKIT_LAYOUT_MAGIC;
  id->version = IPCKIT_LAYOUT_VERSION;
  id->byte_order = IPCKIT_LAYOUT_ORDER;
  ssize_t random;
  do random = getrandom(id->id, sizeof id->id, 0);
  while (random < 0 && errno == EINTR);
  if (random != sizeof id->id) return random < 0 ? -errno : -EIO;
  id->total_bytes = g->total_bytes;
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
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  id->created = (uint64_t)now.tv_sec * RING_SECOND + (uint64_t)now.tv_nsec;
  id->fingerprint = o->fingerprint;
  if (o->type_name) {
    // The name is for people, and may lose its end; the fingerprint decides.
    memcpy(id->type_name, o->type_name, strnlen(o->type_name, sizeof id->type_name - 1));
  }
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
static ring_queue* new_handle(int fd, const ipckit_queue_options_t* o) {
  ring_queue* q = calloc(1, sizeof *q);
  if (q == NULL) return NULL;
  q->people.fd = fd;
  q->people.slot = IPCKIT_LAYOUT_NONE;
  struct stat file;
  if (fstat(fd, &file) == 0) {
    q->people.device = (uint64_t)file.st_dev;
    q->people.inode = (uint64_t)file.st_ino;
  }
  q->prefetch = o->prefetch;
  q->until_look = 256;  // attaching looks around
  for (int i = 0; i < 3; i++) q->spins[i] = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 1000 : 0;
  pthread_mutex_init(&q->tasks_lock, NULL);
  return q;
}

// The geometry is known and the file is as large as it says.
static int map(ring_queue* q) {
  void* start = mmap(NULL, q->g.total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, q->people.fd, 0);
  if (start == MAP_FAILED) return -errno;
  // A mapping keeps the open file description, and with it our lock: a child that had it would keep us alive
  // for ever.
  if (madvise(start, q->g.total_bytes, MADV_DONTFORK) < 0) {
    int failed = -errno;
    munmap(start, q->g.total_bytes);
    return failed;
  }
  uint8_t* bytes = start;
  q->h = start;
  q->map_bytes = q->g.total_bytes;
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
  ring_guard_add(q);
  return 0;
}

static void destroy(ring_queue* q) {
  const bool forked = q->people.stamp != 0 && ring_people_forked(&q->people);
  if (q->people.fd >= 0) close(q->people.fd);
  if (q->h) {
    ring_guard_remove(q);
    // In a forked child the mapping does not exist, and something else may lie there.
    if (!forked) munmap(q->h, q->map_bytes);
  }
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
  if (result < 0 || ring_load(&q->lost))
    ring_people_abandon(&q->people);
  else
    ring_people_detach(&q->people);
  destroy(q);
  return 0;
}

// Creating.
static void fill(ring_queue* q, const ipckit_layout_identity_t* id) {
  ipckit_layout_header_t* h = q->h;
  h->identity = *id;
  h->identity.version = 0;
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
  ring_store_release(&h->identity.version, id->version);
}

// A file without a name, where the file system can, or else one with a name of its own that is given up on
// failure.
static int nameless(const path* p, char* temporary, size_t size) {
  temporary[0] = 0;
  int fd = open(p->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 && access("/proc/self/fd", X_OK) == 0) return fd;
  if (fd >= 0)
    close(fd);
  else if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    return -errno;
  uint64_t random;
  if (getrandom(&random, sizeof random, 0) != sizeof random) return -EIO;
  snprintf(temporary, size, "%s.%016llx.new", p->file, (unsigned long long)random);
  fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  return fd < 0 ? -errno : fd;
}

// Commit point of a creation.
static int give_name(int fd, const path* p, const char* temporary) {
  if (temporary[0]) {
    return syscall(SYS_renameat2, AT_FDCWD, temporary, AT_FDCWD, p->file, RENAME_NOREPLACE) < 0 ? -errno : 0;
  }
  char from[64];
  snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
  return linkat(AT_FDCWD, from, AT_FDCWD, p->file, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

static int make(ring_queue* q, const path* p, const char* temporary, const ipckit_queue_options_t* o) {
  uint32_t mode = o->mode ? o->mode : 0600;
  if (fchmod(q->people.fd, mode & 0777) < 0) return -errno;
  int result;
  do result = posix_fallocate(q->people.fd, 0, (off_t)q->g.total_bytes);
  while (result == EINTR);
  if (result != 0) return -result;
  result = map(q);
  if (result < 0) return result;
  fill(q, &q->identity);
  result = attach(q, o);
  if (result < 0) return result;
  result = give_name(q->people.fd, p, temporary);
  if (result < 0) ring_people_detach(&q->people);
  return result;
}

static int create(const path* p, const ipckit_queue_options_t* o, ipckit_queue_t** queue) {
  ring_geometry g;
  ipckit_layout_identity_t id;
  int result = geometry_from_options(&g, o);
  if (result == 0) result = identity_from_options(&id, &g, o);
  if (result < 0) return result;
  char temporary[sizeof p->file + 32];
  int fd = nameless(p, temporary, sizeof temporary);
  if (fd < 0) return fd;
  ring_queue* q = new_handle(fd, o);
  if (q == NULL) {
    close(fd);
    result = -ENOMEM;
  } else {
    q->g = g;
    q->identity = id;
    result = make(q, p, temporary, o);
    if (result < 0) destroy(q);
  }
  if (result < 0 && temporary[0]) unlink(temporary);
  if (result == 0) *queue = q;
  return result;
}

// Opening.
static int check_file(int fd, const ipckit_queue_options_t* o, ipckit_refusal_t* refusal, uint64_t* size) {
  struct stat file;
  if (fstat(fd, &file) < 0) return -errno;
  refusal->owner = file.st_uid;
  refusal->mode = file.st_mode & 07777;
  refusal->links = (uint32_t)file.st_nlink;
  refusal->size_bytes = (uint64_t)file.st_size;
  *size = (uint64_t)file.st_size;
  if (!S_ISREG(file.st_mode)) return IPCKIT_E_NOT_REGULAR;
  if (!(o->flags & IPCKIT_QUEUE_ANY_OWNER) && file.st_uid != geteuid() && file.st_uid != 0)
    return IPCKIT_E_OWNER;
  if (!(o->flags & IPCKIT_QUEUE_ANY_MODE) && (file.st_mode & S_IWOTH)) return IPCKIT_E_MODE;
  if (file.st_nlink == 0) return -ENOENT;
  if (file.st_nlink != 1) return IPCKIT_E_LINKS;
  return *size < sizeof(ipckit_layout_header_t) ? IPCKIT_E_NOT_A_QUEUE : 0;
}

static int check_identity(const ipckit_layout_identity_t* id, const ipckit_queue_options_t* o,
                          ipckit_refusal_t* refusal, uint64_t size, ring_geometry* g) {
  if (id->magic == __builtin_bswap64(IPCKIT_LAYOUT_MAGIC)) return IPCKIT_E_BYTE_ORDER;
  if (id->magic != IPCKIT_LAYOUT_MAGIC) return IPCKIT_E_NOT_A_QUEUE;
  refusal->version = id->version;
  if (id->version == 0) return IPCKIT_E_CORRUPT;
  if (id->version >> 16 != IPCKIT_LAYOUT_VERSION >> 16) return IPCKIT_E_VERSION;
  if (id->byte_order != IPCKIT_LAYOUT_ORDER) return IPCKIT_E_BYTE_ORDER;
  if (id->checksum != checksum_of(id)) return IPCKIT_E_CORRUPT;
  if (!geometry_from_identity(g, id)) return IPCKIT_E_CORRUPT;
  if (g->total_bytes != id->total_bytes || g->total_bytes != size) return IPCKIT_E_SIZE;
  refusal->fingerprint = id->fingerprint;
  memcpy(refusal->type_name, id->type_name, sizeof refusal->type_name);
  refusal->type_name[sizeof refusal->type_name - 1] = 0;
  if (o->fingerprint != 0 && id->fingerprint != 0 && o->fingerprint != id->fingerprint) return IPCKIT_E_TYPE;
  return 0;
}

static int read_checked(int fd, const ipckit_queue_options_t* o, ipckit_refusal_t* refusal,
                        ipckit_layout_identity_t* id, ring_geometry* g) {
  uint64_t size = 0;
  int result = check_file(fd, o, refusal, &size);
  if (result < 0) return result;
  // Read, not mapped: a file that is cut short here is an error and no signal.
  ssize_t got;
  do got = pread(fd, id, sizeof *id, 0);
  while (got < 0 && errno == EINTR);
  if (got != sizeof *id) return got < 0 ? -errno : IPCKIT_E_SIZE;
  return check_identity(id, o, refusal, size, g);
}

// Owns the descriptor from here on.
static int open_checked(int fd, const ipckit_queue_options_t* o, ipckit_refusal_t* refusal,
                        ipckit_queue_t** queue) {
  ipckit_layout_identity_t id;
  ring_geometry g;
  int result = read_checked(fd, o, refusal, &id, &g);
  ring_queue* q = result < 0 ? NULL : new_handle(fd, o);
  if (q == NULL) {
    close(fd);
    return result < 0 ? result : -ENOMEM;
  }
  q->g = g;
  q->identity = id;
  result = map(q);
  if (result == 0) result = attach(q, o);
  if (result < 0)
    destroy(q);
  else
    *queue = q;
  return result;
}

static int open_existing(const path* p, const ipckit_queue_options_t* o, ipckit_refusal_t* refusal,
                         ipckit_queue_t** queue) {
  int result = -ENOENT;
  for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
    // O_NONBLOCK, or a FIFO of that name would keep us for ever.
    int fd = open(p->file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR) continue;
      return errno == ELOOP || errno == ENXIO || errno == EISDIR ? IPCKIT_E_NOT_REGULAR : -errno;
    }
    result = open_checked(fd, o, refusal, queue);
    // Unlinked between open and fstat: there may be a new one.
    if (result != -ENOENT) break;
  }
  return result;
}

// The three doors.
int ipckit_queue_create(const char* name, const ipckit_queue_options_t* options, ipckit_refusal_t* refusal,
                        ipckit_queue_t** queue) {
  path p;
  (void)refusal;
  if (queue == NULL) return -EFAULT;
  int result = make_path(&p, name, options ? options->directory : NULL);
  return result < 0 ? result : create(&p, options ? options : &defaults, queue);
}

int ipckit_queue_open(const char* name, const ipckit_queue_options_t* options, ipckit_refusal_t* refusal,
                      ipckit_queue_t** queue) {
  path p;
  ipckit_refusal_t unwanted;
  if (queue == NULL) return -EFAULT;
  if (refusal == NULL) refusal = &unwanted;
  memset(refusal, 0, sizeof *refusal);
  int result = make_path(&p, name, options ? options->directory : NULL);
  return result < 0 ? result : open_existing(&p, options ? options : &defaults, refusal, queue);
}

int ipckit_queue_open_or_create(const char* name, const ipckit_queue_options_t* options,
                                ipckit_refusal_t* refusal, ipckit_queue_t** queue) {
  int result = -ENOENT;
  for (int attempt = 0; attempt < OPEN_ATTEMPTS; attempt++) {
    result = ipckit_queue_open(name, options, refusal, queue);
    if (result != -ENOENT) return result;
    result = ipckit_queue_create(name, options, refusal, queue);
    if (result != -EEXIST) return result < 0 ? result : 1;
  }
  return result;
}
