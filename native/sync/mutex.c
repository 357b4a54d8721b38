// The lock of Lock, RLock, Condition and Value. The whole truth is one word: the owner, as slot and epoch,
// and a bit for sleepers. Acquiring is a CAS from 0, releasing a CAS back to 0 that wakes one sleeper when
// there are any. Nothing is handed over: who is woken tries like everyone else, so a waiter that died or
// stopped holds up nobody.
//
// Newcomers may overtake who is being woken, which keeps a busy lock fast, until somebody who has waited for
// a millisecond is overtaken: he writes the time into `line`, and newcomers sleep first as long as that is
// fresh. Whoever acquires after a short wait opens the line again, since sleepers are woken in their order
// and the oldest of them did not starve. A line of the dead goes out of date by itself.
#include <string.h>

#include "sync.h"

// How long a line stays closed that nobody renews: some hand-overs to an event loop.
#define LINE_MS 10
// A sleeper asks about the owner this often at first, then less often, up to SYNC_SLEEP_BOUND.
#define ASK_EVERY (10 * RING_MILLISECOND)

static uint32_t owner_of(uint32_t word) { return word & ~RING_LOCK_SLEEPERS; }

static uint32_t milliseconds(int64_t now) {
  uint32_t ms = (uint32_t)(now / RING_MILLISECOND);
  return ms == 0 ? 1 : ms;
}

static bool line_is_closed(ipckit_sync* s) {
  uint32_t closed = ring_load(&s->h->line);
  return __builtin_expect(closed != 0, 0) && ring_load(&s->h->contenders) != 0 &&
         milliseconds(ring_now()) - closed <= LINE_MS;
}

static bool take(ipckit_sync* s, uint32_t bits) {
  uint32_t free = 0;
  // Commit point of an acquire. Pairs with the CAS in sync_mutex_release: what the owner before us wrote is
  // seen, and with that in sync_mutex_repair: so is the notice of its death.
  return __atomic_compare_exchange_n(&s->h->lock, &free, s->people.tag | bits, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED);
}

void sync_tell(ipckit_sync* s, ipckit_wait_t* w) {
  w->owner_died = 1;
  w->dead_pid = ring_load(&s->h->dead_pid);
  memcpy(w->dead_name, s->h->dead_name, sizeof w->dead_name - 1);
  w->dead_name[sizeof w->dead_name - 1] = 0;
}

static int taken(ipckit_sync* s, ipckit_wait_t* w) {
  ring_store(&s->h->since, ring_realtime_coarse());
  if (sync_is_recursive(s->g.kind)) {
    ring_store(&s->agent, w->agent);
    ring_store(&s->h->depth, sync_count(w->count));
    // Pairs with the load in is_mine.
    ring_store_release(&s->depth, sync_count(w->count));
  }
  if (__builtin_expect(ring_load(&s->h->died) != 0, 0)) {
    // Should we be killed before our caller knows, the next holder is told of our death instead.
    sync_tell(s, w);
    ring_store(&s->h->died, 0);
  }
  return 0;
}

// Whether this agent of ours holds it; only for those kinds that tell agents apart.
static bool is_mine(ipckit_sync* s, uint64_t agent) {
  // Nobody but ourselves could have set `depth` for our agent, and we took it back before we released.
  return owner_of(ring_load(&s->h->lock)) == s->people.tag && ring_load_acquire(&s->depth) != 0 &&
         ring_load(&s->agent) == agent;
}

static int acquire_again(ipckit_sync* s, uint32_t count) {
  uint32_t depth = ring_load(&s->depth);
  if (depth > UINT32_MAX - count) return -EOVERFLOW;
  ring_store(&s->depth, depth + count);
  ring_store(&s->h->depth, depth + count);
  return 0;
}

// 1 when the owner is dead and the lock free now; 0 when it lives; or negative.
static int ask(ipckit_sync* s) {
  uint32_t seen = ring_load(&s->h->lock);
  if (seen == 0 || owner_of(seen) == s->people.tag || ring_lock_owner_lives(seen, &s->people)) return 0;
  sync_wakes wakes;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result == IPCKIT_E_HELD ? 0 : result;
  result = sync_leave(s, &wakes, sync_repair(s, &wakes, false));
  return result < 0 ? result : 1;
}

int sync_mutex_begin(ipckit_sync* s, ipckit_wait_t* w, bool stays) {
  if (__builtin_expect(!line_is_closed(s) && take(s, 0), 1)) return taken(s, w);
  if (sync_is_recursive(s->g.kind) && is_mine(s, w->agent)) return acquire_again(s, sync_count(w->count));
  // The first question at once: a dead owner should not cost 10 ms.
  int result = ask(s);
  if (result < 0) return result;
  if (result == 1 && !line_is_closed(s) && take(s, 0)) return taken(s, w);
  if (!stays) return -EAGAIN;
  sync_wait_since(w) = sync_wait_asked(w) = (uint64_t)ring_now();
  sync_wait_looks(w) = 0;
  __atomic_fetch_add(&s->h->contenders, 1, __ATOMIC_RELAXED);
  sync_count_wait(s, 1);
  return -EAGAIN;
}

// One contender less; returns how many are left. A repair may have counted anew meanwhile.
static uint32_t stop_contending(ipckit_sync* s) {
  sync_count_wait(s, -1);
  uint32_t before = __atomic_fetch_sub(&s->h->contenders, 1, __ATOMIC_RELAXED);
  if (before != 0) return before - 1;
  ring_store(&s->h->contenders, 0);
  return 0;
}

int sync_mutex_try(ipckit_sync* s, ipckit_wait_t* w) {
  const int64_t now = ring_now();
  const bool starves = now - (int64_t)sync_wait_since(w) > SYNC_STARVES;
  for (int turn = 0; turn < 2; turn++) {
    // With the bit, since others may sleep; it costs the last of them one needless wake-up.
    if (take(s, RING_LOCK_SLEEPERS)) {
      // Sleepers are woken in their order: when this one did not starve, nobody does.
      if (stop_contending(s) == 0 || !starves) ring_store(&s->h->line, 0);
      return taken(s, w);
    }
    if (now - (int64_t)sync_wait_asked(w) < ASK_EVERY) break;
    sync_wait_asked(w) = (uint64_t)now;
    int result = ask(s);
    if (result < 0) return result;
    if (result == 0) break;
  }
  sync_wait_looks(w)++;
  if (starves) ring_store(&s->h->line, milliseconds(now));
  return -EAGAIN;
}

bool sync_mutex_is_open(ipckit_sync* s) { return !line_is_closed(s); }

bool sync_mutex_maybe(ipckit_sync* s) { return ring_load(&s->h->lock) == 0; }

int sync_mutex_arm(ipckit_sync* s, const ipckit_wait_t* w, ipckit_wait_word_t* word, int64_t* bound_ns) {
  word->address = &s->h->lock;
  for (;;) {
    uint32_t seen = ring_load(&s->h->lock);
    if (seen == 0) {
      // A newcomer sleeps before his first try while somebody starves. Should the line be that of the dead, a
      // millisecond later he may.
      if (sync_wait_looks(w) > 0 || !line_is_closed(s)) return 0;
      word->expected = 0;
      *bound_ns = SYNC_STARVES;
      return 1;
    }
    word->expected = seen | RING_LOCK_SLEEPERS;
    // Pairs with the CAS in sync_mutex_release: either that finds the bit, or we find the lock free. The
    // kernel compares the word again before it sleeps.
    if (word->expected == seen || __atomic_compare_exchange_n(&s->h->lock, &seen, word->expected, false,
                                                              __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
      int64_t waited = ring_now() - (int64_t)sync_wait_since(w);
      *bound_ns = waited < 16 * ASK_EVERY ? ASK_EVERY : waited / 16;
      if (*bound_ns > SYNC_SLEEP_BOUND) *bound_ns = SYNC_SLEEP_BOUND;
      return 1;
    }
  }
}

void sync_mutex_disarm(ipckit_sync* s) {
  if (ring_load(&s->h->lock) == 0 && ring_load(&s->h->contenders) > 0) ring_futex_wake(&s->h->lock, 1);
}

void sync_mutex_cancel(ipckit_sync* s) {
  if (stop_contending(s) == 0) ring_store(&s->h->line, 0);
  // A wake-up may have been meant for us.
  sync_mutex_disarm(s);
}

// Commit point of a release. A CAS and not an exchange: releasing what another took meanwhile, as two threads
// of a wrong program do, must not harm him. False when it was not ours.
static bool give_back(ipckit_sync* s) {
  uint32_t seen = s->people.tag;
  // Publishes what was written under the lock to the CAS in take.
  while (!__atomic_compare_exchange_n(&s->h->lock, &seen, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    if (owner_of(seen) != s->people.tag) return false;
  }
  if (seen & RING_LOCK_SLEEPERS) ring_futex_wake(&s->h->lock, 1);
  return true;
}

int sync_mutex_release(ipckit_sync* s, uint64_t agent, uint32_t count) {
  if (!sync_is_recursive(s->g.kind)) {
    if (count > 1) return IPCKIT_E_NOT_HELD;
    return give_back(s) ? 0 : IPCKIT_E_NOT_HELD;
  }
  if (!is_mine(s, agent)) return IPCKIT_E_NOT_HELD;
  const uint32_t depth = ring_load(&s->depth), levels = sync_count(count);
  if (levels > depth) return IPCKIT_E_NOT_HELD;
  ring_store(&s->h->depth, depth - levels);
  ring_store(&s->depth, depth - levels);
  if (levels < depth) return 0;
  return give_back(s) ? 0 : IPCKIT_E_NOT_HELD;
}

int64_t sync_mutex_holds(ipckit_sync* s, uint64_t agent) {
  if (sync_is_recursive(s->g.kind)) return is_mine(s, agent) ? ring_load(&s->depth) : 0;
  return owner_of(ring_load(&s->h->lock)) == s->people.tag;
}

void sync_note_death(ipckit_sync* s, uint32_t tag) {
  const uint32_t slot = (tag & 0x7ff) - 1, epoch = tag >> 11 & 0xfffff;
  uint32_t pid = 0;
  char name[32] = {0};
  if (slot == s->people.slot && (s->people.late_epoch & 0xfffff) == epoch) {
    // Whose place we took.
    pid = s->people.late_pid;
    memcpy(name, s->people.late_name, sizeof name - 1);
  } else if (slot < s->people.count && (ring_load(&s->people.table[slot].word) >> 2 & 0xfffff) == epoch) {
    pid = ring_load(&s->people.table[slot].pid);
    memcpy(name, s->people.table[slot].name, sizeof name - 1);
  }
  ring_store(&s->h->dead_pid, pid);
  memcpy(s->h->dead_name, name, sizeof name);
  ring_store(&s->h->died, IPCKIT_DIED_UNTOLD);
}

void sync_mutex_repair(ipckit_sync* s, sync_wakes* wakes, bool leaving) {
  uint32_t* lock = &s->h->lock;
  uint32_t seen = ring_load(lock);
  const uint32_t owner = owner_of(seen);
  if (owner != 0) {
    const bool mine = owner == s->people.tag;
    if (mine ? !leaving : ring_lock_owner_lives(seen, &s->people)) return;
    if (!mine) sync_note_death(s, owner);
    // Commit point: until then the word says that its owner is dead, and the notice is written again.
    // Publishes it to the CAS in take. Sleepers that set their bit meanwhile are all that can change the
    // word.
    while (owner_of(seen) == owner &&
           !__atomic_compare_exchange_n(lock, &seen, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    }
  }
  // A wake-up that a dead one swallowed.
  wakes->lock = true;
  uint32_t waiting = 0;
  for (uint32_t slot = 0; slot < s->g.participants; slot++) {
    uint32_t epoch;
    if (ring_people_used(&s->people, slot, &epoch)) waiting += ring_load(&s->people.table[slot].waiting);
  }
  ring_store(&s->h->contenders, waiting);
}
