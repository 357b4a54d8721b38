// Events: one word, whose lowest bit says that it is set, and whose others count how often it was. A wait is
// over when the bit is set or the count differs from what it was at its beginning, so a clear that follows a
// set at once keeps nobody waiting. Needs no guard: each operation is one CAS.
#include "sync.h"

int sync_event_begin(ipckit_sync* s, ipckit_wait_t* w, bool stays) {
  // Pairs with the CAS in ipckit_event_set.
  uint32_t event = ring_load_acquire(&s->h->event);
  if (event & IPCKIT_EVENT_SET) return 0;
  if (!stays) return -EAGAIN;
  sync_wait_since(w) = (uint64_t)ring_now();
  sync_wait_event(w) = event;
  sync_count_wait(s, 1);
  return -EAGAIN;
}

bool sync_event_passed(ipckit_sync* s, const ipckit_wait_t* w) {
  // Pairs with the CAS in ipckit_event_set: what the setter wrote before is seen.
  uint32_t event = ring_load_acquire(&s->h->event);
  return (event & IPCKIT_EVENT_SET) != 0 || event != (uint32_t)sync_wait_event(w);
}

int sync_event_arm(ipckit_sync* s, const ipckit_wait_t* w, ipckit_wait_word_t* word) {
  word->address = &s->h->event;
  word->expected = (uint32_t)sync_wait_event(w);
  // Pairs with the CAS in ipckit_event_set: either we see that it was set, or the setter sees us armed. Never
  // 0, since the bit is added.
  __atomic_store_n(&s->h->event_armed, word->expected | IPCKIT_EVENT_SET, __ATOMIC_SEQ_CST);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return sync_event_passed(s, w) ? 0 : 1;
}

static int usable_event(ipckit_sync* s) {
  int result = sync_usable(s);
  return result == 0 && s->g.kind != IPCKIT_KIND_EVENT ? -EINVAL : result;
}

int ipckit_event_set(ipckit_sync_t* s) {
  int result = usable_event(s);
  if (result < 0) return result;
  uint32_t event = ring_load(&s->h->event);
  do {
    if (event & IPCKIT_EVENT_SET) break;
    // Commit point. Pairs with the loads in sync_event_passed and sync_event_begin.
  } while (!__atomic_compare_exchange_n(&s->h->event, &event, event + 2 + IPCKIT_EVENT_SET, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
  // Also when it was set: whoever set it may have died before he woke anybody.
  if (__atomic_load_n(&s->h->event_armed, __ATOMIC_SEQ_CST) == 0) return 0;
  if (!(event & IPCKIT_EVENT_SET)) {
    // Everybody who armed for this set is woken. Who armed for the next one, after a clear, stays armed.
    uint32_t armed = event | IPCKIT_EVENT_SET;
    __atomic_compare_exchange_n(&s->h->event_armed, &armed, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
  }
  ring_futex_wake(&s->h->event, INT_MAX);
  return 0;
}

int ipckit_event_clear(ipckit_sync_t* s) {
  int result = usable_event(s);
  if (result < 0) return result;
  // Commit point.
  __atomic_fetch_and(&s->h->event, ~IPCKIT_EVENT_SET, __ATOMIC_SEQ_CST);
  return 0;
}

int ipckit_event_is_set(ipckit_sync_t* s) {
  int result = usable_event(s);
  if (result < 0) return result;
  return (ring_load_acquire(&s->h->event) & IPCKIT_EVENT_SET) != 0;
}
