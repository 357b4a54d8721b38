// The slow path of the locks. See lock.h.
#include "lock.h"

#include <sched.h>
#include <stddef.h>

#include "ipckit/error.h"

// A sleeper asks about the owner this often.
#define ASK_EVERY (10 * RING_MILLISECOND)
// Holders need some hundred nanoseconds; a sleep costs thousands. bench/ring, 2026-11-21.
#define SPINS 200

void ring_lock_wake(uint32_t* word) { ring_futex_wake(word, 1); }

bool ring_lock_owner_lives(uint32_t observed, const ring_people* people) {
  uint32_t slot = (observed & 0x7ff) - 1;
  uint32_t epoch;
  if (slot >= people->count) return false;
  if (!ring_people_used(people, slot, &epoch) || (epoch & 0xfffff) != (observed >> 11 & 0xfffff))
    return false;
  return ring_people_alive(people, slot);
}

bool ring_lock_inherit(uint32_t* word, uint32_t observed, const ring_people* people) {
  // Whoever sleeps there goes on sleeping until we release it, so the bit is set: a wake-up too many does no
  // harm.
  return __atomic_compare_exchange_n(word, &observed, people->tag | RING_LOCK_SLEEPERS, false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool several_processors(void) {
  static int known;  // 0: not asked yet
  int several = ring_load(&known);
  if (several == 0) {
    cpu_set_t allowed;
    several = sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) < 2 ? -1 : 1;
    ring_store(&known, several);
  }
  return several > 0;
}

int ring_lock_slow(uint32_t* word, const ring_people* people, int64_t* end) {
  for (int spin = several_processors() ? SPINS : 0; spin > 0; spin--) {
    uint32_t seen = ring_load(word);
    if (seen == 0 &&
        __atomic_compare_exchange_n(word, &seen, people->tag, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
      return 0;
    }
    ring_pause();
  }
  int64_t now = ring_now();
  if (*end == 0) *end = now + RING_LOCK_BOUND;
  int64_t ask = 0;  // the first time at once: a dead owner should not cost 10 ms
  uint32_t owner = 0;
  int64_t since = now;  // when the owner was first seen there
  for (;; now = ring_now()) {
    uint32_t seen = ring_load(word);
    // Looked at before the clock: who was kept from running for a while may find it free now. With the bit,
    // since others may sleep there too; it costs the owner one needless wake-up.
    if (seen == 0 && __atomic_compare_exchange_n(word, &seen, people->tag | RING_LOCK_SLEEPERS, false,
                                                 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
      return 0;
    }
    if (owner != (seen & ~RING_LOCK_SLEEPERS)) owner = seen & ~RING_LOCK_SLEEPERS, since = now;
    // Where hundreds want it, it may pass from one to the next for longer than one of them may keep it.
    const bool late = now >= *end + (now - since < RING_LOCK_BOUND ? RING_LOCK_CROWD : 0);
    if (seen == 0) {
      if (late) return IPCKIT_E_HELD;
      continue;
    }
    // Also when the time is over: who did not run meanwhile has not asked yet.
    if (late || now >= ask) {
      // The owner that we asked about may have left meanwhile; only an unchanged word is its.
      if (!ring_lock_owner_lives(seen, people) &&
          (ring_load(word) & ~RING_LOCK_SLEEPERS) == (seen & ~RING_LOCK_SLEEPERS)) {
        return RING_OWNER_DEAD;
      }
      ask = now + ASK_EVERY;
    }
    if (late) return IPCKIT_E_HELD;
    if (!(seen & RING_LOCK_SLEEPERS) &&
        !__atomic_compare_exchange_n(word, &seen, seen | RING_LOCK_SLEEPERS, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED)) {
      continue;
    }
    ring_futex_wait(word, seen | RING_LOCK_SLEEPERS, ASK_EVERY);
  }
}

int ring_lock_anyway(uint32_t* word, const ring_people* people, int64_t* end) {
  for (int turn = 0; turn < 8; turn++) {
    int result = ring_lock(word, people, end);
    if (result <= 0) return result;
    uint32_t seen = ring_load(word);
    if (seen != 0 && !ring_lock_owner_lives(seen, people) && ring_lock_inherit(word, seen, people)) {
      return RING_OWNER_DEAD;
    }
  }
  return IPCKIT_E_HELD;
}
