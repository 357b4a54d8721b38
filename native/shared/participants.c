// Places in the table of participants, and liveness by OFD locks. See participants.h.
#include "participants.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "identity.h"
#include "word.h"

#define EPOCHS (1U << 30)

// A little less than the longest sleep, so that each sleep may end with a look.
#define SWEEP_EVERY (80 * RING_MILLISECOND)
#define SWEEP_AT_LEAST_EVERY (1000 * RING_MILLISECOND)

// All of this process, for the handler of fork(2); private memory, guarded by `registry`.
static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static ring_people* attached;

static uint64_t first_stamp = 1;
const volatile uint64_t* ring_process_stamp = &first_stamp;
static uint64_t* stamp_page;
static uint64_t stamps;

// A child shares the open file descriptions of its parent, so while it keeps them the parent never looks
// dead. It must close them and never unlock: an unlock would end the parent's lock.
static void before_fork(void) { pthread_mutex_lock(&registry); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&registry); }
static void after_fork_in_child(void) {
  for (ring_people* one = attached; one; one = one->next) {
    if (one->fd >= 0) close(one->fd);
    one->fd = -1;
  }
  attached = NULL;
  if (stamp_page) *stamp_page = ++stamps;
  pthread_mutex_unlock(&registry);
}

static void prepare_for_fork(void) {
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  // The kernel empties this page in every child, whatever made it. Without it (before 4.14) the handlers must
  // do.
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  void* wiped = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stamp_page = &first_stamp;
  stamps = first_stamp;
  if (wiped == MAP_FAILED) return;
  madvise(wiped, page, MADV_WIPEONFORK);
  stamp_page = wiped;
  *stamp_page = stamps;
  ring_process_stamp = wiped;
}

static void remember(ring_people* people) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, prepare_for_fork);
  pthread_mutex_lock(&registry);
  if (*stamp_page == 0) *stamp_page = ++stamps;  // a child of clone(2) that attaches itself
  people->stamp = *stamp_page;
  people->previous = NULL;
  people->next = attached;
  if (attached) attached->previous = people;
  attached = people;
  pthread_mutex_unlock(&registry);
}

static void forget(ring_people* people) {
  pthread_mutex_lock(&registry);
  if (people->previous) people->previous->next = people->next;
  if (people->next) people->next->previous = people->previous;
  if (attached == people) attached = people->next;
  pthread_mutex_unlock(&registry);
}

static int byte_lock(const ring_people* people, int command, short type, uint32_t slot) {
  struct flock lock = {
      .l_type = type, .l_whence = SEEK_SET, .l_start = IPCKIT_LAYOUT_LOCKS + slot, .l_len = 1};
  int result;
  do result = fcntl(people->fd, command, &lock);
  while (result < 0 && errno == EINTR);
  if (result < 0) return -errno;
  return command == F_OFD_GETLK && lock.l_type != F_UNLCK;
}

// Whether the descriptor is still that of the file. The mapping keeps our own lock, also without a
// descriptor.
static bool still_ours(const ring_people* people) {
  struct stat file;
  return fstat(people->fd, &file) == 0 && (uint64_t)file.st_dev == people->device &&
         (uint64_t)file.st_ino == people->inode;
}

bool ring_people_used(const ring_people* people, uint32_t slot, uint32_t* epoch) {
  // Pairs with the store in attach (a new owner's epoch) and in bury and detach (nobody's).
  uint32_t word = ring_load_acquire(&people->table[slot].word);
  *epoch = word >> 2;
  return (word & 3) == IPCKIT_SLOT_USED;
}

bool ring_people_alive(const ring_people* people, uint32_t slot) {
  // Our own lock does not conflict with us. When the kernel cannot say, nobody is declared dead.
  return slot == people->slot || !still_ours(people) || byte_lock(people, F_OFD_GETLK, F_WRLCK, slot) != 0;
}

uint32_t ring_people_dead(const ring_people* people, uint64_t dead[RING_MAX_PARTICIPANTS]) {
  uint32_t found = 0;
  memset(dead, 0, RING_MAX_PARTICIPANTS * sizeof *dead);
  for (uint32_t slot = 0; slot < people->count; slot++) {
    uint32_t epoch;
    if (!ring_people_used(people, slot, &epoch) || ring_people_alive(people, slot)) continue;
    // It may have left in peace, and another come, between the two questions; then it is nobody's death.
    uint32_t still;
    if (!ring_people_used(people, slot, &still) || still != epoch) continue;
    dead[slot] = 1 + (uint64_t)epoch;
    found++;
  }
  return found;
}

void ring_people_bury(const ring_people* people, uint32_t slot, uint32_t epoch) {
  uint32_t expected = epoch << 2 | IPCKIT_SLOT_USED;
  // Publishes to attach: everything of the dead owner was given back before its place can be taken.
  __atomic_compare_exchange_n(&people->table[slot].word, &expected, epoch << 2 | IPCKIT_SLOT_FREE, false,
                              __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

void ring_people_describe(const ring_people* people, uint32_t slot, ipckit_participant_t* one) {
  const ipckit_layout_participant_t* place = &people->table[slot];
  memset(one, 0, sizeof *one);
  one->slot = slot;
  one->pid = ring_load(&place->pid);
  one->roles = ring_load(&place->roles);
  one->leases = ring_load(&place->leases);
  one->since = ring_load(&place->since);
  one->alive = ring_people_alive(people, slot);
  one->self = slot == people->slot;
  memcpy(one->name, place->name, sizeof one->name - 1);
}

bool ring_people_look_due(int64_t* mine, uint64_t* common) {
  int64_t now = ring_now_coarse();
  int64_t since_mine = now - ring_load(mine);
  if (since_mine < SWEEP_EVERY) return false;
  // One of all participants is enough, unless whoever it was lies: clocks differ between time namespaces.
  // Without a sign, so that a time that cannot be is long ago.
  uint64_t since_any = (uint64_t)now - ring_load(common);
  if (since_any < SWEEP_EVERY && since_mine < SWEEP_AT_LEAST_EVERY) return false;
  ring_store(mine, now);
  ring_store(common, (uint64_t)now);
  return true;
}

static void introduce(const ring_people* people, uint32_t slot, const char* name) {
  ipckit_layout_participant_t* place = &people->table[slot];
  ring_store(&place->pid, (uint32_t)getpid());
  // Whose death was not seen to yet keeps its part until it was: who takes its place may die in turn.
  ring_store(&place->roles, people->adopted ? people->roles & people->late_roles : people->roles);
  ring_store(&place->leases, 0);
  ring_store(&place->waiting, 0);
  ring_store(&place->since, ring_realtime());
  memset(place->name, 0, sizeof place->name);
  if (name) memcpy(place->name, name, strnlen(name, sizeof place->name - 1));
}

// Takes one slot whose word is `word`: first the lock, then the word, so that whoever sees the slot in use
// may ask for the lock. 1 when it is ours, 0 when somebody else has it, or negative.
static int take_slot(ring_people* people, uint32_t slot, uint32_t word, const char* name) {
  int locked = byte_lock(people, F_OFD_SETLK, F_WRLCK, slot);
  if (locked == -EAGAIN || locked == -EACCES) return 0;
  if (locked < 0) return locked;
  uint32_t epoch = ((word >> 2) + 1) % EPOCHS;
  if (ring_load(&people->table[slot].word) == word) {
    people->adopted = (word & 3) == IPCKIT_SLOT_USED;
    people->late_epoch = word >> 2;
    people->late_roles = ring_load(&people->table[slot].roles);
    people->late_pid = ring_load(&people->table[slot].pid);
    memcpy(people->late_name, people->table[slot].name, sizeof people->late_name - 1);
    introduce(people, slot, name);
    people->slot = slot;
    people->epoch = epoch;
    people->tag = ring_tag(slot, epoch);
    remember(people);
    // Commit point of an attach. Publishes to ring_people_used.
    if (__atomic_compare_exchange_n(&people->table[slot].word, &word, epoch << 2 | IPCKIT_SLOT_USED, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
      return 1;
    }
    forget(people);
  }
  byte_lock(people, F_OFD_SETLK, F_UNLCK, slot);
  return 0;
}

int ring_people_attach(ring_people* people, const char* name) {
  people->slot = IPCKIT_LAYOUT_NONE;
  // A free place, or else that of somebody dead: under the new epoch its locks belong to nobody, and what it
  // had leased looks like ours, which is why the caller must give it back before anything else.
  for (int dead = 0; dead <= 1; dead++) {
    for (uint32_t slot = 0; slot < people->count; slot++) {
      uint32_t word = ring_load_acquire(&people->table[slot].word);  // pairs with bury
      if (((word & 3) != IPCKIT_SLOT_FREE) != dead) continue;
      int taken = take_slot(people, slot, word, name);
      if (taken < 0) return taken;
      if (taken) return dead ? RING_FOUND_DEAD : 0;
    }
  }
  return IPCKIT_E_PARTICIPANTS;
}

void ring_people_abandon(ring_people* people) {
  if (!ring_people_forked(people)) forget(people);
  if (people->fd >= 0) close(people->fd);
  people->fd = -1;
}

void ring_people_detach(ring_people* people) {
  // Commit point of a detach: before it a death is recovered from, after it there is nothing to recover.
  if (!ring_people_forked(people)) ring_people_bury(people, people->slot, people->epoch);
  ring_people_abandon(people);
}
