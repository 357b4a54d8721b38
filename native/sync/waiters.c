// The places of those who wait for a semaphore, a rwlock, a condition or a barrier: who came when, what each
// wants, and a word for each to sleep at, so that exactly those are woken who shall be. Called under the
// guard.
#include "sync.h"

uint32_t sync_high(ipckit_sync* s) {
  uint32_t high = ring_load(&s->h->high);
  return high < s->g.waiters ? high : s->g.waiters;
}

int sync_join(ipckit_sync* s, ipckit_wait_t* w, uint32_t wants, uint32_t generation, uint32_t index) {
  uint32_t i = 0;
  while (i < s->g.waiters && ring_load(&s->waiters[i].owner) != 0) i++;
  if (i == s->g.waiters) return IPCKIT_E_WAITERS;
  ipckit_layout_waiter_t* place = &s->waiters[i];
  const uint64_t ticket = ring_load(&s->h->tickets) + 1;
  const uint64_t now = (uint64_t)ring_now();
  ring_store(&s->h->tickets, ticket);
  ring_store(&place->ticket, ticket);
  ring_store(&place->since, now);
  ring_store(&place->seen, now);
  ring_store(&place->wants, wants);
  ring_store(&place->generation, generation);
  ring_store(&place->index, index);
  ring_store(&place->heir, 0);
  ring_store(&place->word,
             (ring_load(&place->word) & ~IPCKIT_WAITER_STATE) + IPCKIT_WAITER_STEP + IPCKIT_WAITER_WAITS);
  if (i >= sync_high(s)) ring_store(&s->h->high, i + 1);
  sync_wait_place(w) = i + 1;
  sync_wait_ticket(w) = ticket;
  sync_wait_since(w) = now;
  // Commit point of the announcement. Pairs with the load in whoever looks at the places next.
  ring_store_release(&place->owner, s->people.tag);
  sync_count_wait(s, 1);
  return 0;
}

void sync_end_place(ipckit_sync* s, ipckit_wait_t* w, ipckit_layout_waiter_t* place) {
  sync_leave_place(s, place);
  sync_wait_place(w) = 0;
  sync_count_wait(s, -1);
}

void sync_leave_place(ipckit_sync* s, ipckit_layout_waiter_t* place) {
  ring_store_release(&place->owner, 0);
  uint32_t high = sync_high(s);
  while (high > 0 && ring_load(&s->waiters[high - 1].owner) == 0) high--;
  ring_store(&s->h->high, high);
}

ipckit_layout_waiter_t* sync_place(ipckit_sync* s, const ipckit_wait_t* w) {
  const uint64_t index = sync_wait_place(w) - 1;
  if (index >= s->g.waiters) return NULL;
  ipckit_layout_waiter_t* place = &s->waiters[index];
  if (ring_load_acquire(&place->owner) != s->people.tag) return NULL;
  return ring_load(&place->ticket) == sync_wait_ticket(w) ? place : NULL;
}

void sync_set_state(ipckit_sync* s, ipckit_layout_waiter_t* place, uint32_t state, sync_wakes* wakes) {
  const uint32_t i = (uint32_t)(place - s->waiters);
  const uint32_t word = ring_load(&place->word);
  // Commit point of a notice. Publishes to the load in sync_arm and sync_attempt.
  ring_store_release(&place->word, (word & ~IPCKIT_WAITER_STATE) + IPCKIT_WAITER_STEP + state);
  if (wakes == NULL) return;
  wakes->any = true;
  wakes->waiters[i / 64] |= 1ULL << (i % 64);
}

ipckit_layout_waiter_t* sync_oldest(ipckit_sync* s, uint64_t after, uint32_t state) {
  ipckit_layout_waiter_t* oldest = NULL;
  const uint32_t high = sync_high(s);
  for (uint32_t i = 0; i < high; i++) {
    ipckit_layout_waiter_t* place = &s->waiters[i];
    if (ring_load_acquire(&place->owner) == 0 || sync_state_of(place) != state) continue;
    const uint64_t ticket = ring_load(&place->ticket);
    if (ticket > after && (oldest == NULL || ticket < ring_load(&oldest->ticket))) oldest = place;
  }
  return oldest;
}
