// What people are told about an object: who holds it, who waits, who is attached; and whether everything adds
// up.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "shared/file.h"
#include "shared/identity.h"
#include "sync.h"

// A file as somebody looks at it, attached or not: nothing here writes.
typedef struct view {
  uint32_t kind, participants;
  const ipckit_layout_sync_header_t* h;
  const ipckit_layout_participant_t* people;
} view;

static void fill_identity(ipckit_sync_stat_t* stat, const ipckit_layout_sync_identity_t* id) {
  stat->id[0] = id->start.id[0];
  stat->id[1] = id->start.id[1];
  stat->created = id->created;
  stat->size_bytes = id->start.total_bytes;
  stat->fingerprint = id->fingerprint;
  stat->bytes = id->bytes;
  memcpy(stat->type_name, id->type_name, sizeof stat->type_name - 1);
  stat->kind = id->kind;
  stat->limit = id->limit;
  stat->max_participants = id->participants;
}

static void fill_file(ipckit_sync_stat_t* stat, const struct stat* file) {
  stat->owner = file->st_uid;
  stat->mode = file->st_mode & 07777;
  stat->unlinked = file->st_nlink == 0;
}

static void fill_holder(ipckit_sync_stat_t* stat, const view* v, uint32_t owner) {
  const uint32_t slot = (owner & 0x7ff) - 1;
  stat->holder_slot = IPCKIT_LAYOUT_NONE;
  if (owner == 0 || slot >= v->participants) return;
  stat->holder_slot = slot;
  stat->holder_pid = ring_load(&v->people[slot].pid);
  stat->held_since = ring_load(&v->h->since);
}

static void fill_state(ipckit_sync_stat_t* stat, const view* v) {
  const ipckit_layout_sync_header_t* h = v->h;
  uint32_t held = 0;
  for (uint32_t slot = 0; slot < v->participants; slot++) {
    if ((ring_load(&v->people[slot].word) & 3) != IPCKIT_SLOT_USED) continue;
    stat->participants++;
    stat->waiters += ring_load(&v->people[slot].waiting);
    held += ring_load(&v->people[slot].leases);
  }
  const uint32_t owner =
      v->kind == IPCKIT_KIND_RWLOCK ? ring_load(&h->writer) : ring_load(&h->lock) & ~RING_LOCK_SLEEPERS;
  fill_holder(stat, v, owner);
  if (sync_has_mutex(v->kind) && owner != 0) {
    stat->held = sync_is_recursive(v->kind) ? ring_load(&h->depth) : 1;
  } else if (v->kind == IPCKIT_KIND_RWLOCK) {
    stat->held = owner != 0;
    stat->value = ring_load(&h->readers);
  } else if (sync_is_semaphore(v->kind)) {
    stat->held = held;
    stat->value = ring_load(&h->value);
  } else if (v->kind == IPCKIT_KIND_EVENT) {
    stat->value = ring_load(&h->event) & IPCKIT_EVENT_SET;
  } else if (v->kind == IPCKIT_KIND_BARRIER) {
    stat->broken = ring_load(&h->broken) != 0;
  }
  stat->owner_died = ring_load(&h->died) == IPCKIT_DIED_UNTOLD;
  stat->recoveries = ring_load(&h->recoveries);
}

int ipckit_sync_stat(ipckit_sync_t* s, ipckit_sync_stat_t* stat) {
  sync_wakes wakes;
  const view v = {s->g.kind, s->g.participants, s->h, s->people.table};
  memset(stat, 0, sizeof *stat);
  int result = sync_enter(s, &wakes);
  // Who looks for the reason of a standstill must not stand still: the figures are those of a moment, not of
  // one.
  if (result < 0 && result != IPCKIT_E_HELD) return result;
  fill_identity(stat, &s->identity);
  fill_state(stat, &v);
  if (s->g.kind == IPCKIT_KIND_BARRIER) {
    stat->value = (uint32_t)sync_barrier_count(s, ring_load(&s->h->generation));
  }
  if (result == 0) result = sync_leave(s, &wakes, 0);
  if (result < 0 && result != IPCKIT_E_HELD) return result;
  struct stat file;
  if (fstat(s->people.fd, &file) < 0) return -errno;
  fill_file(stat, &file);
  return 0;
}

int ipckit_sync_participants(ipckit_sync_t* s, ipckit_participant_t* list, size_t count) {
  int result = sync_usable(s);
  if (result < 0) return result;
  const uint32_t lock = ring_load(&s->h->lock) & ~RING_LOCK_SLEEPERS, writer = ring_load(&s->h->writer);
  int attached = 0;
  for (uint32_t slot = 0; slot < s->g.participants; slot++) {
    uint32_t epoch;
    if (!ring_people_used(&s->people, slot, &epoch)) continue;
    if ((size_t)attached < count) {
      ipckit_participant_t* one = &list[attached];
      const uint32_t tag = ring_tag(slot, epoch);
      ring_people_describe(&s->people, slot, one);
      one->leases += (lock == tag) + (writer == tag);
      if (ring_load(&s->people.table[slot].waiting) != 0) one->roles |= IPCKIT_ROLE_WAITER;
    }
    attached++;
  }
  return attached;
}

// Looking without attaching.
static int look(int fd, ipckit_sync_stat_t* stat) {
  union {
    ipckit_layout_start_t start;
    ipckit_layout_identity_t queue;
    ipckit_layout_sync_header_t sync;
  } head;
  ipckit_layout_participant_t people[RING_MAX_PARTICIPANTS];
  ipckit_refusal_t refusal;
  const ring_trust anybody = {true, true};
  struct stat file;
  int result = ring_file_check(fd, anybody, sizeof head, &refusal);
  if (result == 0) result = ring_file_read(fd, &head, sizeof head, 0);
  if (result < 0) return result;
  if (fstat(fd, &file) < 0) return -errno;
  if (ring_start_check(&head.start, IPCKIT_LAYOUT_MAGIC, &refusal) == 0) {
    stat->id[0] = head.start.id[0];
    stat->id[1] = head.start.id[1];
    stat->created = head.queue.created;
    stat->fingerprint = head.queue.fingerprint;
    memcpy(stat->type_name, head.queue.type_name, sizeof stat->type_name - 1);
    stat->max_participants = head.queue.participants;
    stat->size_bytes = head.start.total_bytes;
    stat->holder_slot = IPCKIT_LAYOUT_NONE;
    fill_file(stat, &file);
    return 0;
  }
  result = ring_start_check(&head.start, IPCKIT_LAYOUT_SYNC_MAGIC, &refusal);
  if (result < 0) return result;
  const uint32_t participants = head.sync.identity.participants, kind = head.sync.identity.kind;
  if (participants > RING_MAX_PARTICIPANTS || kind < IPCKIT_KIND_LOCK || kind > IPCKIT_KIND_VALUE) {
    return IPCKIT_E_CORRUPT;
  }
  result = ring_file_read(fd, people, participants * sizeof *people, sizeof head.sync);
  if (result < 0) return result;
  const view v = {kind, participants, &head.sync, people};
  fill_identity(stat, &head.sync.identity);
  fill_state(stat, &v);
  if (kind == IPCKIT_KIND_BARRIER) stat->value = stat->waiters;
  fill_file(stat, &file);
  return 0;
}

int ipckit_sync_look(const char* name, const char* directory, ipckit_sync_stat_t* stat) {
  ring_path path;
  memset(stat, 0, sizeof *stat);
  int result = ring_path_make(&path, name, directory);
  if (result < 0) return result;
  int fd = open(path.file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return errno == ELOOP ? IPCKIT_E_NOT_REGULAR : -errno;
  result = look(fd, stat);
  close(fd);
  return result;
}

// Verify.
static bool waiters_add_up(ipckit_sync* s) {
  const uint32_t high = ring_load(&s->h->high);
  if (high > s->g.waiters) return false;
  for (uint32_t i = 0; i < s->g.waiters; i++) {
    const ipckit_layout_waiter_t* place = &s->waiters[i];
    const uint32_t owner = ring_load_acquire(&place->owner), state = sync_state_of(place);
    if (owner == 0) continue;
    if (i >= high || state < IPCKIT_WAITER_WAITS || state > IPCKIT_WAITER_BROKEN) return false;
    if ((owner & 0x7ff) - 1 >= s->g.participants) return false;
    if (ring_load(&place->ticket) > ring_load(&s->h->tickets)) return false;
  }
  return true;
}

static bool adds_up(ipckit_sync* s) {
  const ipckit_layout_sync_header_t* h = s->h;
  uint64_t held = 0;
  for (uint32_t slot = 0; slot < s->g.participants; slot++) held += ring_load(sync_held(s, slot));
  if (sync_is_semaphore(s->g.kind) && held + ring_load(&h->value) != ring_load(&h->total)) return false;
  if (s->g.kind == IPCKIT_KIND_RWLOCK) {
    if (held != ring_load(&h->readers) || (held != 0 && ring_load(&h->writer) != 0)) return false;
  }
  if (ring_load(&h->died) > IPCKIT_DIED_TOLD || ring_load(&h->journal) != 0) return false;
  return waiters_add_up(s);
}

int ipckit_sync_verify(ipckit_sync_t* s) {
  sync_wakes wakes;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result;
  const bool sound = adds_up(s);
  result = sync_leave(s, &wakes, 0);
  return result == 0 && !sound ? IPCKIT_E_CORRUPT : result;
}
