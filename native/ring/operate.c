// How every operation begins and ends: is the handle usable, take the lock, recover when its owner is dead,
// let go.
#include "queue.h"

// Looks at the clock after this many operations, and at the participants when it is time.
#define LOOK_AFTER 256

static void mark_corrupt(ring_queue* q) {
  if (ring_load(&q->h->state) == IPCKIT_STATE_CORRUPT) return;
  ring_store(&q->h->state, IPCKIT_STATE_CORRUPT);
  ring_wake_everyone(q);
}

int ring_usable(ring_queue* q) {
  if (__builtin_expect(ring_people_forked(&q->people), 0)) return IPCKIT_E_FORKED;
  if (__builtin_expect(ring_load(&q->map.lost), 0)) return IPCKIT_E_CORRUPT;
  // Pairs with the store in ipckit_queue_shutdown.
  uint32_t state = ring_load_acquire(&q->h->state);
  if (__builtin_expect(state - 1 >= 3, 0)) return IPCKIT_E_CORRUPT;
  if (__builtin_expect(ring_people_buried(&q->people), 0)) {
    return ring_load(&q->map.lost) ? IPCKIT_E_CORRUPT : -EBADF;
  }
  return 0;
}

static int enter(ring_queue* q, uint32_t* lock) {
  int result = ring_usable(q);
  if (result < 0) return result;
  // Each turn but the last recovers from one death, so a few turns are many.
  int64_t end = 0;
  for (int turn = 0; turn < 8; turn++) {
    result = ring_lock(lock, &q->people, &end);
    if (__builtin_expect(result == 0, 1)) return 0;
    if (result < 0) return ring_load(&q->map.lost) ? IPCKIT_E_CORRUPT : result;
    result = ring_recover(q, &end);
    if (result < 0) return result;
  }
  return IPCKIT_E_HELD;
}

int ring_enter_producers(ring_queue* q) { return enter(q, &q->h->producer_lock); }
int ring_enter_consumers(ring_queue* q) { return enter(q, &q->h->consumer_lock); }

int ring_enter_both(ring_queue* q) {
  int64_t end = 0;
  for (int turn = 0; turn < 8; turn++) {
    int result = enter(q, &q->h->producer_lock);
    if (result < 0) return result;
    result = ring_lock(&q->h->consumer_lock, &q->people, &end);
    if (result == 0) return 0;
    int64_t left = ring_leave_producers(q, result < 0 ? result : 0);
    if (left < 0) return (int)left;
    result = ring_recover(q, &end);
    if (result < 0) return result;
  }
  return IPCKIT_E_HELD;
}

static int64_t leave(ring_queue* q, uint32_t* lock, int64_t result) {
  // Marked while the lock is held: nobody works on with what made no sense.
  if (__builtin_expect(result == IPCKIT_E_CORRUPT, 0)) mark_corrupt(q);
  if (__builtin_expect(!ring_unlock(lock, &q->people), 0)) {
    mark_corrupt(q);
    return IPCKIT_E_CORRUPT;
  }
  // The guard put zeros under us; whatever the operation saw, it was not the queue.
  if (__builtin_expect(ring_load(&q->map.lost), 0)) return IPCKIT_E_CORRUPT;
  return result;
}

int64_t ring_leave_producers(ring_queue* q, int64_t result) { return leave(q, &q->h->producer_lock, result); }
int64_t ring_leave_consumers(ring_queue* q, int64_t result) { return leave(q, &q->h->consumer_lock, result); }
int64_t ring_leave_both(ring_queue* q, int64_t result) {
  return leave(q, &q->h->producer_lock, leave(q, &q->h->consumer_lock, result));
}

void ring_play_role(ring_queue* q, uint32_t role) {
  if (__builtin_expect((ring_load(&q->roles) & role) != 0, 1)) return;
  uint32_t roles = __atomic_or_fetch(&q->roles, role, __ATOMIC_RELAXED);
  ring_store(&q->people.table[q->people.slot].roles, roles);
}

void ring_look_around(ring_queue* q, bool idle) {
  if (!idle) {
    uint32_t left = ring_load(&q->until_look);
    ring_store(&q->until_look, left == 0 ? LOOK_AFTER : left - 1);
    if (__builtin_expect(left != 0, 1)) return;
  }
  if (ring_people_look_due(&q->swept, &q->h->swept)) ipckit_queue_sweep(q);
}

int ipckit_queue_sweep(ipckit_queue_t* q) {
  int result = ring_usable(q);
  if (result < 0) return result;
  uint64_t dead[RING_MAX_PARTICIPANTS];
  if (ring_people_dead(&q->people, dead) == 0) return 0;
  int64_t end = 0;
  result = ring_recover(q, &end);
  return result < 0 ? result : 1;
}
