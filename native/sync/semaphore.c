// Semaphores. What each participant holds stands at its place; the number of permits that there are in all
// changes only when more are released than anybody holds. The free ones are what is left, and are derived.
#include "sync.h"

// Whether somebody who came before must go first: he has starved, and still looks.
static bool is_overtaking(ipckit_sync* s, uint64_t ticket) {
  const uint32_t high = sync_high(s);
  int64_t now = 0;
  for (uint32_t i = 0; i < high; i++) {
    const ipckit_layout_waiter_t* place = &s->waiters[i];
    if (ring_load_acquire(&place->owner) == 0 || ring_load(&place->ticket) >= ticket) continue;
    if (now == 0) now = ring_now();
    if (sync_starves(place, now) && !sync_is_stale(place, now)) return true;
  }
  return false;
}

bool sync_semaphore_take(ipckit_sync* s, ipckit_wait_t* w, uint64_t ticket) {
  const uint32_t wants = sync_count(w->count), value = ring_load(&s->h->value);
  if (value < wants || is_overtaking(s, ticket)) return false;
  ring_store(&s->h->value, value - wants);
  // Commit point of an acquire.
  uint32_t* held = sync_held(s, s->people.slot);
  ring_store_release(held, ring_load(held) + wants);
  return true;
}

void sync_semaphore_admit(ipckit_sync* s, sync_wakes* wakes) {
  uint64_t left = ring_load(&s->h->value);
  if (left == 0 || sync_high(s) == 0) return;
  const int64_t now = ring_now();
  // What those want who were woken and have not come yet.
  const uint32_t high = sync_high(s);
  for (uint32_t i = 0; i < high; i++) {
    const ipckit_layout_waiter_t* place = &s->waiters[i];
    if (ring_load_acquire(&place->owner) == 0 || sync_state_of(place) != IPCKIT_WAITER_NOTIFIED) continue;
    if (sync_is_stale(place, now)) continue;
    const uint32_t wants = ring_load(&place->wants);
    left = left > wants ? left - wants : 0;
  }
  uint64_t after = 0;
  while (left > 0) {
    ipckit_layout_waiter_t* place = sync_oldest(s, after, IPCKIT_WAITER_WAITS);
    if (place == NULL) return;
    after = ring_load(&place->ticket);
    const uint32_t wants = ring_load(&place->wants);
    if (wants <= left) {
      sync_set_state(s, place, IPCKIT_WAITER_NOTIFIED, wakes);
      left -= wants;
    } else if (sync_starves(place, now) && !sync_is_stale(place, now)) {
      return;  // what there is adds up for him
    }
  }
}

// The slot that holds most, or NONE when nobody holds anything.
static uint32_t greatest_holder(ipckit_sync* s) {
  uint32_t slot = IPCKIT_LAYOUT_NONE, most = 0;
  for (uint32_t i = 0; i < s->g.participants; i++) {
    const uint32_t held = ring_load(sync_held(s, i));
    if (held <= most) continue;
    most = held;
    slot = i;
  }
  return slot;
}

int sync_semaphore_release(ipckit_sync* s, uint32_t count, sync_wakes* wakes) {
  uint32_t left = sync_count(count);
  const uint32_t most = s->g.kind == IPCKIT_KIND_BOUNDED_SEMAPHORE ? s->g.limit : SYNC_MAX_VALUE;
  uint32_t value = ring_load(&s->h->value);
  if (value > most) return IPCKIT_E_CORRUPT;
  if (left > most - value) return most == SYNC_MAX_VALUE ? -EOVERFLOW : IPCKIT_E_BOUND;
  uint32_t slot = s->people.slot;
  while (left > 0) {
    uint32_t* held = slot == IPCKIT_LAYOUT_NONE ? NULL : sync_held(s, slot);
    uint32_t some = held == NULL ? left : ring_load(held);
    if (some > left) some = left;
    // Commit point of so many permits; should we die before the next step, those were released.
    if (held == NULL)
      ring_store_release(&s->h->total, ring_load(&s->h->total) + some);
    else
      ring_store_release(held, ring_load(held) - some);
    value += some;
    left -= some;
    // What others acquired and we release: a permit that was passed on, or a semaphore that counts events.
    if (left > 0) slot = greatest_holder(s);
  }
  ring_store(&s->h->value, value);
  sync_semaphore_admit(s, wakes);
  return 0;
}

int sync_semaphore_repair(ipckit_sync* s, const uint64_t* gone) {
  uint64_t held = 0;
  for (uint32_t slot = 0; slot < s->g.participants; slot++) {
    if (gone[slot]) ring_store(sync_held(s, slot), 0);
    held += ring_load(sync_held(s, slot));
  }
  const uint32_t total = ring_load(&s->h->total);
  if (held > total || total - held > SYNC_MAX_VALUE) return IPCKIT_E_CORRUPT;
  ring_store(&s->h->value, (uint32_t)(total - held));
  return 0;
}
