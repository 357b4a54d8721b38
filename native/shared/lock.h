// Locks for shared memory that know their owner. A word holds slot and epoch of the owner and one bit for
// "somebody sleeps". Taking is a CAS, releasing an exchange; a sleeper wakes at least every 10 ms and asks
// whether the owner lives. Nothing is freed by a death: who finds a dead owner is told, and recovers what the
// lock guards.
#ifndef IPCKIT_SHARED_LOCK_H
#define IPCKIT_SHARED_LOCK_H

#include "participants.h"
#include "word.h"

// slot + 1 in 11 bits, the low 20 bits of the epoch, and the bit for sleepers.
#define RING_LOCK_SLEEPERS 0x80000000U

#define RING_OWNER_DEAD 1

// No lock of ours is held longer than a recovery takes; one that is held longer belongs to a stopped process,
// or the word was scribbled over. An operation begins at most three times, and shall come back within two
// seconds.
#define RING_LOCK_BOUND (600 * RING_MILLISECOND)
// So much longer while it goes from one living process to another: of hundreds that want it, one may get it
// that late.
#define RING_LOCK_CROWD (1200 * RING_MILLISECOND)

int ring_lock_slow(uint32_t* word, const ring_people* people, int64_t* end);
void ring_lock_wake(uint32_t* word);

// 0, RING_OWNER_DEAD when its owner does not exist any more, or IPCKIT_E_HELD when it does and holds on.
// `end` is 0, or until when somebody who takes several locks is willing to wait for all of them.
static inline int ring_lock(uint32_t* word, const ring_people* people, int64_t* end) {
  uint32_t free = 0;
  // Pairs with the exchange in ring_unlock: what the owner before us wrote is seen.
  if (__builtin_expect(
          __atomic_compare_exchange_n(word, &free, people->tag, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
          1)) {
    return 0;
  }
  return ring_lock_slow(word, people, end);
}

// False when the word was not ours any more: somebody else wrote over it.
static inline bool ring_unlock(uint32_t* word, const ring_people* people) {
  // Publishes everything written under the lock to the CAS in ring_lock. Sequentially consistent, because a
  // look at who waits follows (ring_wake); that needs no fence of its own then.
  uint32_t was = __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
  if (__builtin_expect(was & RING_LOCK_SLEEPERS, 0)) ring_lock_wake(word);
  return (was & ~RING_LOCK_SLEEPERS) == people->tag;
}

// Makes a lock of a dead owner ours; `observed` is its word. False when somebody was faster.
bool ring_lock_inherit(uint32_t* word, uint32_t observed, const ring_people* people);

// The same as ring_lock, and takes the lock over where its owner is dead: RING_OWNER_DEAD when it is ours
// that way, and what it guards is to be recovered.
int ring_lock_anyway(uint32_t* word, const ring_people* people, int64_t* end);

// Whether the owner that the word names exists.
bool ring_lock_owner_lives(uint32_t observed, const ring_people* people);

#endif
