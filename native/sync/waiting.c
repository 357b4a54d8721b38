// Waiting: begin, try, cancel, and sleeping in between, for every kind. Sleeps are bounded; whoever's sleep
// is over looks for the dead. A wake-up that a dying waiter swallowed is made good by that bound, and by
// whoever repairs.
#include "shared/spin.h"
#include "sync.h"

enum way { WRONG, BY_MUTEX, BY_ROOM, BY_EVENT, BY_CONDITION, BY_BARRIER };

// How an operation waits at an object of this kind.
static enum way way_of(const ipckit_sync* s, const ipckit_wait_t* w) {
  const uint32_t kind = s->g.kind;
  switch (w->operation) {
    case IPCKIT_ACQUIRE:
      if (sync_has_mutex(kind)) return BY_MUTEX;
      return kind == IPCKIT_KIND_RWLOCK || sync_is_semaphore(kind) ? BY_ROOM : WRONG;
    case IPCKIT_ACQUIRE_SHARED:
      return kind == IPCKIT_KIND_RWLOCK ? BY_ROOM : WRONG;
    case IPCKIT_WAIT_EVENT:
      return kind == IPCKIT_KIND_EVENT ? BY_EVENT : WRONG;
    case IPCKIT_WAIT_CONDITION:
      return kind == IPCKIT_KIND_CONDITION ? BY_CONDITION : WRONG;
    case IPCKIT_WAIT_BARRIER:
      return kind == IPCKIT_KIND_BARRIER ? BY_BARRIER : WRONG;
    default:
      return WRONG;
  }
}

// Semaphores, readers and writers: they try when they are woken, and whoever got through lets others through.
static bool room_take(ipckit_sync* s, ipckit_wait_t* w, uint64_t ticket) {
  return sync_is_semaphore(s->g.kind) ? sync_semaphore_take(s, w, ticket) : sync_rwlock_take(s, w, ticket);
}

static void room_admit(ipckit_sync* s, sync_wakes* wakes) {
  if (sync_is_semaphore(s->g.kind))
    sync_semaphore_admit(s, wakes);
  else
    sync_rwlock_admit(s, wakes);
}

static uint32_t room_wants(const ipckit_sync* s, const ipckit_wait_t* w) {
  if (sync_is_semaphore(s->g.kind)) return sync_count(w->count);
  return w->operation == IPCKIT_ACQUIRE_SHARED ? IPCKIT_WANTS_SHARED : IPCKIT_WANTS_EXCLUSIVE;
}

// More than there can ever be would wait for ever, and keep out others.
static bool room_is_possible(const ipckit_sync* s, const ipckit_wait_t* w) {
  if (s->g.kind == IPCKIT_KIND_RWLOCK) return w->count <= 1;
  const uint32_t most = s->g.kind == IPCKIT_KIND_BOUNDED_SEMAPHORE ? s->g.limit : SYNC_MAX_VALUE;
  return sync_count(w->count) <= sync_count(most);
}

static int room_begin(ipckit_sync* s, ipckit_wait_t* w, bool stays) {
  sync_wakes wakes;
  if (!room_is_possible(s, w)) return -EINVAL;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result;
  if (!room_take(s, w, UINT64_MAX)) {
    result = stays ? sync_join(s, w, room_wants(s, w), 0, 0) : 0;
    if (result == 0) result = -EAGAIN;
  }
  result = sync_leave(s, &wakes, result);
  if (result == -EAGAIN) sync_look_around(s);
  return result;
}

static int room_try(ipckit_sync* s, ipckit_wait_t* w) {
  sync_wakes wakes;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result == IPCKIT_E_HELD ? -EAGAIN : result;
  ipckit_layout_waiter_t* place = sync_place(s, w);
  if (place == NULL) return sync_leave(s, &wakes, -EINVAL);
  if (room_take(s, w, sync_wait_ticket(w))) {
    sync_end_place(s, w, place);
    room_admit(s, &wakes);
    return sync_leave(s, &wakes, 0);
  }
  ring_store(&place->seen, (uint64_t)ring_now());
  if (sync_state_of(place) != IPCKIT_WAITER_WAITS) sync_set_state(s, place, IPCKIT_WAITER_WAITS, NULL);
  return sync_leave(s, &wakes, -EAGAIN);
}

// Conditions and barriers: others say when it is over.
static int outcome_of(uint32_t state) {
  switch (state) {
    case IPCKIT_WAITER_WAITS:
      return -EAGAIN;
    case IPCKIT_WAITER_TURN:
      return IPCKIT_BARRIER_ACTION;
    case IPCKIT_WAITER_BROKEN:
      return IPCKIT_E_BROKEN;
    default:
      return 0;
  }
}

static int place_begin(ipckit_sync* s, ipckit_wait_t* w) {
  sync_wakes wakes;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result;
  if (w->operation == IPCKIT_WAIT_BARRIER) {
    result = sync_barrier_begin(s, w, &wakes);
  } else {
    result = sync_join(s, w, 0, 0, 0);
    if (result == 0) result = -EAGAIN;
  }
  return sync_leave(s, &wakes, result);
}

static int place_try(ipckit_sync* s, ipckit_wait_t* w) {
  ipckit_layout_waiter_t* place = sync_place(s, w);
  // Pairs with the store in sync_set_state.
  const uint32_t word = place ? ring_load_acquire(&place->word) : 0;
  // After the look at it, which may have found that the file was truncated.
  const int usable = sync_usable(s);
  if (usable < 0 || place == NULL) return usable < 0 ? usable : -EINVAL;
  const int result = outcome_of(word & IPCKIT_WAITER_STATE);
  if (result == -EAGAIN || result == IPCKIT_BARRIER_ACTION) return result;
  sync_wakes wakes;
  int entered = sync_enter(s, &wakes);
  if (entered < 0) return entered == IPCKIT_E_HELD ? -EAGAIN : entered;
  sync_end_place(s, w, place);
  return sync_leave(s, &wakes, result);
}

static int place_cancel(ipckit_sync* s, ipckit_wait_t* w, enum way way) {
  sync_wakes wakes;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result;
  ipckit_layout_waiter_t* place = sync_place(s, w);
  if (place == NULL) return sync_leave(s, &wakes, -EINVAL);
  const int outcome = way == BY_ROOM ? -EAGAIN : outcome_of(sync_state_of(place));
  if (way == BY_BARRIER && (outcome == -EAGAIN || outcome == IPCKIT_BARRIER_ACTION)) {
    sync_barrier_do(s, IPCKIT_BARRIER_BREAKS, &wakes);
  }
  sync_end_place(s, w, place);
  if (way == BY_ROOM) room_admit(s, &wakes);
  return sync_leave(s, &wakes, outcome == 0 ? 1 : outcome == IPCKIT_E_BROKEN ? outcome : 0);
}

// Notes how far a wait is, for whoever is interrupted before it has looked at the result. An error leaves it
// as it was: what was begun is still to be cancelled.
static int noted(ipckit_wait_t* w, int result) {
  if (result == 0) w->state = IPCKIT_WAIT_DONE;
  // Whoever comes last to a barrier waits on until the action is done.
  if (result == -EAGAIN || result == IPCKIT_BARRIER_ACTION) w->state = IPCKIT_WAIT_WAITS;
  if (result == IPCKIT_E_BROKEN) w->state = IPCKIT_WAIT_NONE;
  return result;
}

static int begin(ipckit_sync* s, ipckit_wait_t* w, bool stays) {
  const enum way way = way_of(s, w);
  w->state = IPCKIT_WAIT_NONE;
  w->owner_died = 0;
  w->dead_pid = 0;
  w->dead_name[0] = 0;
  if (way == BY_ROOM) return room_begin(s, w, stays);
  if (way == BY_CONDITION || way == BY_BARRIER) return place_begin(s, w);
  int result = sync_usable(s);
  if (result < 0) return result;
  if (way == BY_MUTEX) return sync_mutex_begin(s, w, stays);
  return way == BY_EVENT ? sync_event_begin(s, w, stays) : -EINVAL;
}

int ipckit_sync_begin(ipckit_sync_t* s, ipckit_wait_t* w) { return noted(w, begin(s, w, true)); }

static int try(ipckit_sync* s, ipckit_wait_t* w) {
  const enum way way = way_of(s, w);
  if (way == BY_ROOM) return room_try(s, w);
  if (way == BY_CONDITION || way == BY_BARRIER) return place_try(s, w);
  int result = sync_usable(s);
  if (result < 0) return result;
  if (way == BY_MUTEX) return sync_mutex_try(s, w);
  if (way != BY_EVENT) return -EINVAL;
  if (!sync_event_passed(s, w)) return -EAGAIN;
  sync_count_wait(s, -1);
  return 0;
}

int ipckit_sync_try(ipckit_sync_t* s, ipckit_wait_t* w) { return noted(w, try(s, w)); }

int ipckit_sync_cancel(ipckit_sync_t* s, ipckit_wait_t* w) {
  const enum way way = way_of(s, w);
  if (way == WRONG) return -EINVAL;
  if (w->state != IPCKIT_WAIT_WAITS) return w->state == IPCKIT_WAIT_DONE ? 1 : 0;
  int result;
  if (way == BY_ROOM || way == BY_CONDITION || way == BY_BARRIER) {
    result = place_cancel(s, w, way);
    // Where the guard was held by somebody who is stopped it still waits.
    if (result != IPCKIT_E_HELD) w->state = result == 1 ? IPCKIT_WAIT_DONE : IPCKIT_WAIT_NONE;
    return result;
  }
  w->state = IPCKIT_WAIT_NONE;
  result = sync_usable(s);
  if (result < 0) return result;
  if (way == BY_MUTEX)
    sync_mutex_cancel(s);
  else
    sync_count_wait(s, -1);
  return 0;
}

int ipckit_sync_arm(ipckit_sync_t* s, const ipckit_wait_t* w, ipckit_wait_word_t words[1],
                    int64_t* bound_ns) {
  const enum way way = way_of(s, w);
  int result = sync_usable(s);
  if (result < 0) return result;
  *bound_ns = SYNC_SLEEP_BOUND;
  if (way == BY_MUTEX) return sync_mutex_arm(s, w, words, bound_ns);
  if (way == BY_EVENT) return sync_event_arm(s, w, words);
  if (way == WRONG) return -EINVAL;
  ipckit_layout_waiter_t* place = sync_place(s, w);
  if (place == NULL) return ring_load(&s->map.lost) ? IPCKIT_E_CORRUPT : -EINVAL;
  words->address = &place->word;
  // Pairs with the store in sync_set_state; the kernel compares the word again before it sleeps.
  words->expected = ring_load_acquire(&place->word);
  if ((words->expected & IPCKIT_WAITER_STATE) != IPCKIT_WAITER_WAITS) return 0;
  const int64_t now = ring_now();
  // A try every now and then, for what nobody would tell us: that who came before us does not look any more.
  if (way == BY_ROOM && now - (int64_t)ring_load(&place->seen) >= SYNC_SLEEP_BOUND) return 0;
  return 1;
}

int ipckit_sync_disarm(ipckit_sync_t* s, const ipckit_wait_t* w) {
  int result = sync_usable(s);
  if (result < 0) return result;
  // Others wake everyone, or one at a place of his own, who passes it on when he cancels.
  if (way_of(s, w) == BY_MUTEX) sync_mutex_disarm(s);
  return 0;
}

// Without a lock: whether a try might succeed. A hint.
static bool maybe(ipckit_sync* s, const ipckit_wait_t* w, enum way way) {
  if (way == BY_MUTEX) return sync_mutex_maybe(s);
  if (way == BY_EVENT) return sync_event_passed(s, w);
  const ipckit_layout_waiter_t* place = sync_place(s, w);
  return place == NULL || sync_state_of(place) != IPCKIT_WAITER_WAITS;
}

// Polls for a while; true when a try may succeed. Learns whether that pays.
static bool poll(ipckit_sync* s, const ipckit_wait_t* w, enum way way) {
  const uint32_t spins = ring_spins(ring_load(&s->spins));
  for (uint32_t i = 0; i < spins; i++) {
    if (maybe(s, w, way)) {
      // What was there already says nothing about polling.
      if (i > 0) ring_store(&s->spins, ring_spins_paid(spins));
      return true;
    }
    ring_pause();
  }
  ring_store(&s->spins, ring_spins_lost(ring_load(&s->spins)));
  return false;
}

int ipckit_sync_sleep(ipckit_sync_t* s, ipckit_wait_t* w, int64_t timeout_ns) {
  const enum way way = way_of(s, w);
  if (w->state != IPCKIT_WAIT_WAITS || timeout_ns < 0) return -EINVAL;
  int64_t now = ring_now();
  const int64_t end = ring_after(now, timeout_ns);
  // Who lines up behind somebody that starves does not poll first.
  bool polls = way != BY_MUTEX || sync_mutex_is_open(s);
  for (; now < end; now = ring_now()) {
    ipckit_wait_word_t word;
    int64_t bound;
    int result = 0;
    if (!polls || !poll(s, w, way)) result = ipckit_sync_arm(s, w, &word, &bound);
    polls = true;
    if (result == 1) {
      const int64_t left = end - now;
      const int slept = ring_futex_wait(word.address, word.expected, left < bound ? left : bound);
      if (slept == -ETIMEDOUT) sync_look_around(s);
      if (slept == -EINTR) return -EINTR;
    }
    if (result >= 0) result = ipckit_sync_try(s, w);
    if (result != -EAGAIN) return result;
  }
  return -ETIMEDOUT;
}

int sync_sleep_or_cancel(ipckit_sync* s, ipckit_wait_t* w, int64_t timeout_ns) {
  const int slept = ipckit_sync_sleep(s, w, timeout_ns);
  if (slept >= 0 || slept == IPCKIT_E_BROKEN) return slept;
  const int result = ipckit_sync_cancel(s, w);
  return result == 1 ? 0 : result == 0 ? slept : result;
}

int ipckit_sync_wait(ipckit_sync_t* s, ipckit_wait_t* w, int64_t timeout_ns) {
  if (timeout_ns < 0) return -EINVAL;
  const enum way way = way_of(s, w);
  const bool stays = timeout_ns > 0 || way == BY_CONDITION || way == BY_BARRIER;
  int result = begin(s, w, stays);
  if (result == -EAGAIN && !stays) return result;
  noted(w, result);
  if (result != -EAGAIN) return result;
  if (timeout_ns > 0) return sync_sleep_or_cancel(s, w, timeout_ns);
  result = ipckit_sync_cancel(s, w);
  return result == 1 ? 0 : result == 0 ? -EAGAIN : result;
}

// Releasing.
int ipckit_sync_release(ipckit_sync_t* s, uint64_t agent, uint32_t count) {
  if (sync_has_mutex(s->g.kind)) {
    int result = sync_usable(s);
    return result < 0 ? result : sync_mutex_release(s, agent, count);
  }
  const bool semaphore = sync_is_semaphore(s->g.kind);
  if (!semaphore && s->g.kind != IPCKIT_KIND_RWLOCK) return -EINVAL;
  sync_wakes wakes;
  int result = sync_enter(s, &wakes);
  if (result < 0) return result;
  result = semaphore ? sync_semaphore_release(s, count, &wakes) : sync_rwlock_release(s, false, &wakes);
  return sync_leave(s, &wakes, result);
}

int ipckit_sync_release_shared(ipckit_sync_t* s) {
  if (s->g.kind != IPCKIT_KIND_RWLOCK) return -EINVAL;
  sync_wakes wakes;
  int result = sync_enter(s, &wakes);
  return result < 0 ? result : sync_leave(s, &wakes, sync_rwlock_release(s, true, &wakes));
}

int64_t ipckit_sync_holds(ipckit_sync_t* s, uint64_t agent) {
  int result = sync_usable(s);
  if (result < 0) return result;
  if (sync_has_mutex(s->g.kind)) return sync_mutex_holds(s, agent);
  const int64_t held = ring_load(sync_held(s, s->people.slot));
  if (sync_is_semaphore(s->g.kind)) return held;
  if (s->g.kind != IPCKIT_KIND_RWLOCK) return -EINVAL;
  return (ring_load(&s->h->writer) == s->people.tag) + 2 * held;
}
