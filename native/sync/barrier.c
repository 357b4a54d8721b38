// Barriers. Who waits has a place with the round (`generation`) it waits for and its number in it. Whatever
// ends a wait ends it for many: that is written into `journal` first, in one store that is the commit, and
// then done to each of them; should its doer die, a repair does it again.
#include "sync.h"

#define GENERATIONS (1U << 30)

int sync_barrier_count(ipckit_sync* s, uint32_t generation) {
  const uint32_t high = sync_high(s);
  int count = 0;
  for (uint32_t i = 0; i < high; i++) {
    const ipckit_layout_waiter_t* place = &s->waiters[i];
    if (ring_load_acquire(&place->owner) == 0 || ring_load(&place->generation) != generation) continue;
    const uint32_t state = sync_state_of(place);
    count += state == IPCKIT_WAITER_WAITS || state == IPCKIT_WAITER_TURN;
  }
  return count;
}

// Who came last in a round that is full has the turn.
static void give_turn(ipckit_sync* s, sync_wakes* wakes) {
  const uint32_t generation = ring_load(&s->h->generation), last = s->g.limit - 1;
  if (ring_load(&s->h->broken) || sync_barrier_count(s, generation) != (int)s->g.limit) return;
  const uint32_t high = sync_high(s);
  for (uint32_t i = 0; i < high; i++) {
    ipckit_layout_waiter_t* place = &s->waiters[i];
    if (ring_load_acquire(&place->owner) == 0 || ring_load(&place->generation) != generation) continue;
    if (ring_load(&place->index) != last || sync_state_of(place) != IPCKIT_WAITER_WAITS) continue;
    sync_set_state(s, place, IPCKIT_WAITER_TURN, wakes);
  }
}

// Whether all who wait in a round live. Whoever completes it must not go on with the dead.
static bool all_live(ipckit_sync* s, uint32_t generation) {
  const uint32_t high = sync_high(s);
  for (uint32_t i = 0; i < high; i++) {
    const ipckit_layout_waiter_t* place = &s->waiters[i];
    const uint32_t owner = ring_load_acquire(&place->owner);
    if (owner == 0 || ring_load(&place->generation) != generation) continue;
    if (owner != s->people.tag && !ring_lock_owner_lives(owner, &s->people)) return false;
  }
  return true;
}

int sync_barrier_begin(ipckit_sync* s, ipckit_wait_t* w, sync_wakes* wakes) {
  if (ring_load(&s->h->broken)) return IPCKIT_E_BROKEN;
  // While one round runs its action, those who come are of the next one; with more waiters than parties, of
  // the one after.
  uint32_t generation = ring_load(&s->h->generation) % GENERATIONS;
  int count = sync_barrier_count(s, generation);
  while (count >= (int)s->g.limit) {
    generation = (generation + 1) % GENERATIONS;
    count = sync_barrier_count(s, generation);
  }
  int result = 0;
  if (count == (int)s->g.limit - 1 && !all_live(s, generation)) result = sync_repair(s, wakes, false);
  if (result < 0) return result;
  if (ring_load(&s->h->broken)) return IPCKIT_E_BROKEN;
  w->index = (uint32_t)count;
  result = sync_join(s, w, 0, generation, w->index);
  if (result < 0) return result;
  give_turn(s, NULL);
  ipckit_layout_waiter_t* place = sync_place(s, w);
  return place && sync_state_of(place) == IPCKIT_WAITER_TURN ? IPCKIT_BARRIER_ACTION : -EAGAIN;
}

// Finishes what the journal says. Each step may be repeated.
static void carry_out(ipckit_sync* s, sync_wakes* wakes) {
  ipckit_layout_sync_header_t* h = s->h;
  const uint32_t journal = ring_load(&h->journal), what = journal & 3, generation = journal >> 2;
  if (what == 0) return;
  const uint32_t high = sync_high(s);
  for (uint32_t i = 0; i < high; i++) {
    ipckit_layout_waiter_t* place = &s->waiters[i];
    if (ring_load_acquire(&place->owner) == 0) continue;
    const uint32_t state = sync_state_of(place);
    if (state != IPCKIT_WAITER_WAITS && state != IPCKIT_WAITER_TURN) continue;
    if (what != IPCKIT_BARRIER_PASSES) {
      sync_set_state(s, place, IPCKIT_WAITER_BROKEN, wakes);
    } else if (ring_load(&place->generation) == generation) {
      sync_set_state(s, place, IPCKIT_WAITER_PASSED, wakes);
    }
  }
  ring_store(&h->broken, what == IPCKIT_BARRIER_BREAKS);
  if (what != IPCKIT_BARRIER_BREAKS) ring_store(&h->generation, (generation + 1) % GENERATIONS);
  // It is done: publishes all of that to a repair, which would do it again before this.
  ring_store_release(&h->journal, 0);
}

void sync_barrier_do(ipckit_sync* s, uint32_t what, sync_wakes* wakes) {
  // Commit point of passing, breaking and resetting.
  ring_store_release(&s->h->journal, ring_load(&s->h->generation) % GENERATIONS << 2 | what);
  carry_out(s, wakes);
  give_turn(s, wakes);
}

void sync_barrier_finish(ipckit_sync* s, sync_wakes* wakes) {
  carry_out(s, wakes);
  give_turn(s, wakes);
}

int ipckit_barrier_action_done(ipckit_sync_t* s, ipckit_wait_t* w) {
  sync_wakes wakes;
  if (s->g.kind != IPCKIT_KIND_BARRIER) return -EINVAL;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result;
  ipckit_layout_waiter_t* place = sync_place(s, w);
  uint32_t state = place ? sync_state_of(place) : 0;
  if (state == IPCKIT_WAITER_TURN && !all_live(s, ring_load(&s->h->generation))) {
    result = sync_repair(s, &wakes, false);
    if (result < 0) return sync_leave(s, &wakes, result);
    state = sync_state_of(place);
  }
  if (state == IPCKIT_WAITER_TURN) {
    sync_barrier_do(s, IPCKIT_BARRIER_PASSES, &wakes);
    sync_end_place(s, w, place);
    w->state = IPCKIT_WAIT_DONE;
  } else if (state == IPCKIT_WAITER_BROKEN) {
    sync_end_place(s, w, place);
    w->state = IPCKIT_WAIT_NONE;
    result = IPCKIT_E_BROKEN;
  } else {
    result = -EINVAL;
  }
  return sync_leave(s, &wakes, result);
}

static int change(ipckit_sync* s, uint32_t what) {
  sync_wakes wakes;
  if (s->g.kind != IPCKIT_KIND_BARRIER) return -EINVAL;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result;
  sync_barrier_do(s, what, &wakes);
  return sync_leave(s, &wakes, 0);
}

int ipckit_barrier_abort(ipckit_sync_t* s) { return change(s, IPCKIT_BARRIER_BREAKS); }
int ipckit_barrier_reset(ipckit_sync_t* s) { return change(s, IPCKIT_BARRIER_RESETS); }
