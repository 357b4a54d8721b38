// Conditions: who waits has a place, and a notice is its state. The lock is that of mutex.c.
#include "sync.h"

int ipckit_condition_notify(ipckit_sync_t* s, uint32_t count) {
  sync_wakes wakes;
  if (s->g.kind != IPCKIT_KIND_CONDITION) return -EINVAL;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result;
  const uint32_t high = sync_high(s);
  uint32_t notified = 0;
  if (count >= high) {
    for (uint32_t i = 0; i < high; i++) {
      ipckit_layout_waiter_t* place = &s->waiters[i];
      if (ring_load_acquire(&place->owner) == 0 || sync_state_of(place) != IPCKIT_WAITER_WAITS) continue;
      sync_set_state(s, place, IPCKIT_WAITER_CALLED, &wakes);
      notified++;
    }
    return sync_leave(s, &wakes, (int)notified);
  }
  uint64_t after = 0;
  while (notified < count) {
    ipckit_layout_waiter_t* place = sync_oldest(s, after, IPCKIT_WAITER_WAITS);
    if (place == NULL) break;
    after = ring_load(&place->ticket);
    // One who died is not counted, and one who dies from now on passes it on.
    if (!ring_lock_owner_lives(ring_load(&place->owner), &s->people)) continue;
    sync_set_state(s, place, IPCKIT_WAITER_NOTIFIED, &wakes);
    notified++;
  }
  return sync_leave(s, &wakes, (int)notified);
}

void sync_condition_pass_on(ipckit_sync* s, ipckit_layout_waiter_t* place, sync_wakes* wakes) {
  ipckit_layout_waiter_t* heir = NULL;
  uint64_t ticket = ring_load(&place->heir);
  if (ticket == 0) {
    do {
      heir = sync_oldest(s, ticket, IPCKIT_WAITER_WAITS);
      if (heir == NULL) return;
      ticket = ring_load(&heir->ticket);
    } while (!ring_lock_owner_lives(ring_load(&heir->owner), &s->people));
    // Commit point of passing it on: whoever repeats this does not choose another.
    ring_store_release(&place->heir, ticket);
  } else {
    heir = sync_oldest(s, ticket - 1, IPCKIT_WAITER_WAITS);
    if (heir == NULL || ring_load(&heir->ticket) != ticket) return;  // it was done
  }
  sync_set_state(s, heir, IPCKIT_WAITER_NOTIFIED, wakes);
}

int ipckit_condition_wait(ipckit_sync_t* s, uint64_t agent, int64_t timeout_ns, ipckit_wait_t* w) {
  ipckit_wait_t unwanted, notice = {.operation = IPCKIT_WAIT_CONDITION, .agent = agent};
  if (s->g.kind != IPCKIT_KIND_CONDITION || timeout_ns < 0) return -EINVAL;
  int result = sync_usable(s);
  if (result < 0) return result;
  const int64_t depth = sync_mutex_holds(s, agent);
  if (depth == 0) return IPCKIT_E_NOT_HELD;
  result = ipckit_sync_begin(s, &notice);
  if (result != -EAGAIN) return result;
  result = sync_mutex_release(s, agent, (uint32_t)depth);
  if (result < 0) return result;
  const int waited = sync_sleep_or_cancel(s, &notice, timeout_ns);
  if (w == NULL) w = &unwanted;
  *w = (ipckit_wait_t){.operation = IPCKIT_ACQUIRE, .count = (uint32_t)depth, .agent = agent};
  // As long as it takes: who waited holds the lock again, whatever became of the wait.
  do result = ipckit_sync_wait(s, w, IPCKIT_FOREVER);
  while (result == -EINTR || result == IPCKIT_E_HELD);
  return result < 0 ? result : waited;
}
