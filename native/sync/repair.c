// Repair: what the dead hold goes back, and what is derived is derived anew. Each step may be done twice, so
// a repair that is killed leaves nothing that the next one does not mend. Who repairs holds the guard.
#include <string.h>

#include "sync.h"

// A waiter that is not there any more.
static void take_out(ipckit_sync* s, ipckit_layout_waiter_t* place, sync_wakes* wakes) {
  const uint32_t state = sync_state_of(place);
  if (s->g.kind == IPCKIT_KIND_CONDITION && state == IPCKIT_WAITER_NOTIFIED) {
    sync_condition_pass_on(s, place, wakes);
  }
  if (s->g.kind == IPCKIT_KIND_BARRIER && (state == IPCKIT_WAITER_WAITS || state == IPCKIT_WAITER_TURN)) {
    sync_barrier_do(s, IPCKIT_BARRIER_BREAKS, wakes);
  }
  sync_leave_place(s, place);
}

// Notices that somebody was passing on when he died. Before any place is given up: should the heir be dead as
// well, and his place come first, he would be gone, and the notice with him.
static void finish_passing_on(ipckit_sync* s, sync_wakes* wakes) {
  for (uint32_t i = 0; i < s->g.waiters; i++) {
    ipckit_layout_waiter_t* place = &s->waiters[i];
    if (ring_load_acquire(&place->owner) == 0 || sync_state_of(place) != IPCKIT_WAITER_NOTIFIED) continue;
    if (ring_load(&place->heir) != 0) sync_condition_pass_on(s, place, wakes);
  }
}

static int repair_waiters(ipckit_sync* s, sync_wakes* wakes, bool leaving) {
  // The death of whoever raised `high` may have come before.
  ring_store(&s->h->high, s->g.waiters);
  if (s->g.kind == IPCKIT_KIND_CONDITION) finish_passing_on(s, wakes);
  for (uint32_t i = 0; i < s->g.waiters; i++) {
    ipckit_layout_waiter_t* place = &s->waiters[i];
    const uint32_t owner = ring_load_acquire(&place->owner);  // pairs with sync_join of whoever died
    if (owner == 0) continue;
    const uint32_t state = sync_state_of(place);
    if (state < IPCKIT_WAITER_WAITS || state > IPCKIT_WAITER_BROKEN) return IPCKIT_E_CORRUPT;
    const bool mine = owner == s->people.tag;
    if (mine ? leaving : !ring_lock_owner_lives(owner, &s->people)) take_out(s, place, wakes);
  }
  uint32_t high = s->g.waiters;
  while (high > 0 && ring_load(&s->waiters[high - 1].owner) == 0) high--;
  ring_store(&s->h->high, high);
  return 0;
}

int sync_repair(ipckit_sync* s, sync_wakes* wakes, bool leaving) {
  uint64_t dead[RING_MAX_PARTICIPANTS], gone[RING_MAX_PARTICIPANTS];
  ring_people_dead(&s->people, dead);
  bool party_died = s->people.adopted && !(s->people.late_roles & IPCKIT_ROLE_OBSERVER);
  for (uint32_t slot = 0; slot < s->g.participants; slot++) {
    uint32_t epoch;
    gone[slot] = dead[slot] != 0 || !ring_people_used(&s->people, slot, &epoch);
    if (dead[slot] != 0 && !(ring_load(&s->people.table[slot].roles) & IPCKIT_ROLE_OBSERVER)) {
      party_died = true;
    }
  }
  gone[s->people.slot] = leaving;

  const uint32_t kind = s->g.kind;
  int result = 0;
  if (kind == IPCKIT_KIND_BARRIER) {
    sync_barrier_finish(s, wakes);
    if (party_died) sync_barrier_do(s, IPCKIT_BARRIER_BREAKS, wakes);
  }
  if (sync_has_mutex(kind)) sync_mutex_repair(s, wakes, leaving);
  if (sync_is_semaphore(kind)) result = sync_semaphore_repair(s, gone);
  if (kind == IPCKIT_KIND_RWLOCK) result = sync_rwlock_repair(s, gone, leaving);
  if (result == 0 && sync_has_room(kind)) result = repair_waiters(s, wakes, leaving);
  if (result < 0) return result;
  // Those who may go on now, among them who waits for a wake-up that a dead one swallowed.
  if (sync_is_semaphore(kind)) sync_semaphore_admit(s, wakes);
  if (kind == IPCKIT_KIND_RWLOCK) sync_rwlock_admit(s, wakes);
  if (s->people.adopted) ring_store(&s->people.table[s->people.slot].roles, s->people.roles);
  s->people.adopted = false;
  for (uint32_t slot = 0; slot < s->g.participants; slot++) {
    if (dead[slot] != 0) ring_people_bury(&s->people, slot, (uint32_t)(dead[slot] - 1));
  }
  if (!leaving) ring_store(&s->h->recoveries, ring_load(&s->h->recoveries) + 1);
  return 0;
}
