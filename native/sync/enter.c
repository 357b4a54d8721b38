// How an operation begins and ends: is the handle usable, take the guard, repair when its owner is dead, let
// go, wake.
#include "sync.h"

#include <string.h>

static void wake_everyone(ipckit_sync* s) {
  ring_futex_wake(&s->h->lock, INT_MAX);
  ring_futex_wake(&s->h->event, INT_MAX);
  for (uint32_t i = 0; i < s->g.waiters; i++) {
    if (ring_load(&s->waiters[i].owner) != 0) ring_futex_wake(&s->waiters[i].word, INT_MAX);
  }
}

static void mark_corrupt(ipckit_sync* s) {
  if (ring_load(&s->h->state) == IPCKIT_STATE_CORRUPT) return;
  ring_store(&s->h->state, IPCKIT_STATE_CORRUPT);
  wake_everyone(s);
}

int sync_usable(ipckit_sync* s) {
  if (__builtin_expect(ring_people_forked(&s->people), 0)) return IPCKIT_E_FORKED;
  if (__builtin_expect(ring_load(&s->map.lost), 0)) return IPCKIT_E_CORRUPT;
  if (__builtin_expect(ring_load(&s->h->state) != IPCKIT_STATE_OPEN, 0)) return IPCKIT_E_CORRUPT;
  if (__builtin_expect(ring_people_buried(&s->people), 0)) {
    return ring_load(&s->map.lost) ? IPCKIT_E_CORRUPT : -EBADF;
  }
  return 0;
}

int sync_enter(ipckit_sync* s, sync_wakes* wakes) {
  memset(wakes, 0, sizeof *wakes);
  int result = sync_usable(s);
  if (result < 0) return result;
  int64_t end = 0;
  result = ring_lock_anyway(&s->h->guard, &s->people, &end);
  if (__builtin_expect(result == 0, 1)) return 0;
  if (result == RING_OWNER_DEAD)
    result = sync_repair(s, wakes, false);
  else if (ring_load(&s->map.lost))
    result = IPCKIT_E_CORRUPT;
  return result == IPCKIT_E_CORRUPT ? sync_leave(s, wakes, result) : result;
}

static void wake(ipckit_sync* s, const sync_wakes* wakes) {
  if (wakes->lock) ring_futex_wake(&s->h->lock, 1);
  if (!wakes->any) return;
  for (uint32_t group = 0; group < SYNC_MAX_WAITERS / 64; group++) {
    for (uint64_t bits = wakes->waiters[group]; bits != 0; bits &= bits - 1) {
      uint32_t i = group * 64 + (uint32_t)__builtin_ctzll(bits);
      ring_futex_wake(&s->waiters[i].word, INT_MAX);
    }
  }
}

int sync_leave(ipckit_sync* s, sync_wakes* wakes, int result) {
  // Marked while the guard is held: nobody works on with what made no sense.
  if (__builtin_expect(result == IPCKIT_E_CORRUPT, 0)) mark_corrupt(s);
  if (__builtin_expect(!ring_unlock(&s->h->guard, &s->people), 0)) {
    mark_corrupt(s);
    return IPCKIT_E_CORRUPT;
  }
  wake(s, wakes);
  return __builtin_expect(ring_load(&s->map.lost), 0) ? IPCKIT_E_CORRUPT : result;
}

void sync_count_wait(ipckit_sync* s, int by) {
  __atomic_fetch_add(&s->people.table[s->people.slot].waiting, (uint32_t)by, __ATOMIC_RELAXED);
}

void sync_look_around(ipckit_sync* s) {
  if (ring_people_look_due(&s->swept, &s->h->swept)) ipckit_sync_sweep(s);
}

int ipckit_sync_sweep(ipckit_sync_t* s) {
  int result = sync_usable(s);
  if (result < 0) return result;
  uint64_t dead[RING_MAX_PARTICIPANTS];
  if (ring_people_dead(&s->people, dead) == 0) return 0;
  sync_wakes wakes;
  result = sync_enter(s, &wakes);
  if (result < 0) return result;
  result = sync_leave(s, &wakes, sync_repair(s, &wakes, false));
  return result < 0 ? result : 1;
}
