// What the files of the synchronisation objects share: the handle, the guard, the words, and who wakes whom.
//
// Lock, RLock, Condition and Value have a lock that is one word (mutex.c), Event is one word (event.c). Their
// operations need no guard. Everything else is done under the guard, a lock that knows its owner and is held
// for some hundred nanoseconds; each operation has one store that commits it, and what that store does not
// say is derived from it again by a repair (repair.c).
#ifndef IPCKIT_SYNC_SYNC_H
#define IPCKIT_SYNC_SYNC_H

#include <stdbool.h>
#include <stddef.h>

#include "ipckit/sync.h"
#include "ipckit/sync_layout.h"
#include "shared/guard.h"
#include "shared/lock.h"
#include "shared/participants.h"
#include "shared/word.h"

#define SYNC_MAX_WAITERS 1024
#define SYNC_MAX_PARTIES 1024
#define SYNC_MAX_BYTES (1ULL << 40)
#define SYNC_MAX_VALUE 0x7fffffffU

// Who has waited this long starves: nobody goes before it any more.
#define SYNC_STARVES RING_MILLISECOND
// No sleep is longer: then we look for the dead.
#define SYNC_SLEEP_BOUND (100 * RING_MILLISECOND)
// Who has not looked for this long, stopped or dead, is not waited for. Above the bound of a sleep.
#define SYNC_STALE (250 * RING_MILLISECOND)

typedef struct sync_geometry {
  uint32_t kind, participants, waiters, limit;
  uint64_t bytes;
  // Derived: where the sections start.
  uint64_t people_at, waiters_at, bytes_at, total_bytes;
} sync_geometry;

struct ipckit_sync {
  ring_people people;
  ring_mapped map;
  sync_geometry g;  // checked once at opening and never read from the file again
  ipckit_layout_sync_identity_t identity;
  ipckit_layout_sync_header_t* h;
  ipckit_layout_waiter_t* waiters;
  uint8_t* bytes;
  // The lock of this handle: who of the process has it, and how deep. `depth` is 0 while nobody does, and is
  // written after `agent` and taken back before the release, so that whoever finds it set may compare.
  uint64_t agent;
  uint32_t depth;
  uint32_t spins;  // how long to poll before sleeping
  int64_t swept;   // coarse clock
};

typedef struct ipckit_sync ipckit_sync;

// Whom an operation wakes when it has let go of the guard.
typedef struct sync_wakes {
  bool any, lock;
  uint64_t waiters[SYNC_MAX_WAITERS / 64];
} sync_wakes;

// Kinds.
static inline bool sync_has_mutex(uint32_t kind) {
  return kind == IPCKIT_KIND_LOCK || kind == IPCKIT_KIND_RLOCK || kind == IPCKIT_KIND_CONDITION ||
         kind == IPCKIT_KIND_VALUE;
}
static inline bool sync_is_recursive(uint32_t kind) { return kind != IPCKIT_KIND_LOCK; }
static inline bool sync_is_semaphore(uint32_t kind) {
  return kind == IPCKIT_KIND_SEMAPHORE || kind == IPCKIT_KIND_BOUNDED_SEMAPHORE;
}
// Whether its waiters have places.
static inline bool sync_has_room(uint32_t kind) {
  return sync_is_semaphore(kind) || kind == IPCKIT_KIND_RWLOCK || kind == IPCKIT_KIND_CONDITION ||
         kind == IPCKIT_KIND_BARRIER;
}

// What the library keeps in a wait.
#define sync_wait_since(w) ((w)->own[0])   // CLOCK_MONOTONIC ns
#define sync_wait_looks(w) ((w)->own[1])   // tries that failed
#define sync_wait_asked(w) ((w)->own[2])   // mutex: when we last asked whether the owner lives
#define sync_wait_event(w) ((w)->own[2])   // event: its word when the wait began
#define sync_wait_place(w) ((w)->own[3])   // index of the waiter's place + 1
#define sync_wait_ticket(w) ((w)->own[4])  // of that place

static inline uint32_t sync_count(uint32_t count) { return count == 0 ? 1 : count; }

// What the participant of a slot holds: permits, or how often shared. Under the guard.
static inline uint32_t* sync_held(ipckit_sync* s, uint32_t slot) { return &s->people.table[slot].leases; }

// Beginning and ending an operation (enter.c):
// 0, or why the handle cannot be used.
int sync_usable(ipckit_sync* s);
// Takes the guard, and repairs when its owner died. 0 or negative.
int sync_enter(ipckit_sync* s, sync_wakes* wakes);
// Lets go, wakes, and returns `result`, or IPCKIT_E_CORRUPT when the guard was not ours any more.
int sync_leave(ipckit_sync* s, sync_wakes* wakes, int result);
// A wait begins or ends, for people.
void sync_count_wait(ipckit_sync* s, int by);
// Looks for dead participants when the last look is a while ago.
void sync_look_around(ipckit_sync* s);

// Repair (repair.c), under the guard:
// Gives back what the dead hold and derives everything anew. May be killed anywhere and be called again.
// `leaving`: what this handle holds goes back as well, in peace.
int sync_repair(ipckit_sync* s, sync_wakes* wakes, bool leaving);

// The lock (mutex.c):
int sync_mutex_begin(ipckit_sync* s, ipckit_wait_t* w, bool stays);
int sync_mutex_try(ipckit_sync* s, ipckit_wait_t* w);
void sync_mutex_cancel(ipckit_sync* s);
int sync_mutex_arm(ipckit_sync* s, const ipckit_wait_t* w, ipckit_wait_word_t* word, int64_t* bound_ns);
// Whether newcomers may try before they sleep.
bool sync_mutex_is_open(ipckit_sync* s);
bool sync_mutex_maybe(ipckit_sync* s);
void sync_mutex_disarm(ipckit_sync* s);
int sync_mutex_release(ipckit_sync* s, uint64_t agent, uint32_t count);
int64_t sync_mutex_holds(ipckit_sync* s, uint64_t agent);
// For a repair: takes it from a dead owner, and notes who that was; or, `leaving`, from this handle.
void sync_mutex_repair(ipckit_sync* s, sync_wakes* wakes, bool leaving);
// Notes that the owner `tag` of a lock died while it held: the next one is told.
void sync_note_death(ipckit_sync* s, uint32_t tag);
// Tells of a death.
void sync_tell(ipckit_sync* s, ipckit_wait_t* w);

// Places of those who wait (waiters.c), under the guard:
// `high` of the header, checked.
uint32_t sync_high(ipckit_sync* s);
// Takes a place; its index is in the wait, and its state WAITS. 0 or IPCKIT_E_WAITERS.
int sync_join(ipckit_sync* s, ipckit_wait_t* w, uint32_t wants, uint32_t generation, uint32_t index);
void sync_leave_place(ipckit_sync* s, ipckit_layout_waiter_t* place);
// The wait is over: leaves its place.
void sync_end_place(ipckit_sync* s, ipckit_wait_t* w, ipckit_layout_waiter_t* place);
// The place of a wait, or NULL when it is not its any more.
ipckit_layout_waiter_t* sync_place(ipckit_sync* s, const ipckit_wait_t* w);
static inline uint32_t sync_state_of(const ipckit_layout_waiter_t* place) {
  return ring_load(&place->word) & IPCKIT_WAITER_STATE;
}
// Sets a waiter's state, and has it woken.
void sync_set_state(ipckit_sync* s, ipckit_layout_waiter_t* place, uint32_t state, sync_wakes* wakes);
// The one with the least ticket above `after` that has this state; NULL when there is none.
ipckit_layout_waiter_t* sync_oldest(ipckit_sync* s, uint64_t after, uint32_t state);
static inline bool sync_is_stale(const ipckit_layout_waiter_t* place, int64_t now) {
  return now - (int64_t)ring_load(&place->seen) > SYNC_STALE;
}
static inline bool sync_starves(const ipckit_layout_waiter_t* place, int64_t now) {
  return now - (int64_t)ring_load(&place->since) > SYNC_STARVES;
}

// Semaphores (semaphore.c) and readers and writers (rwlock.c), under the guard:
// May this wait go on now, before everyone who waits at a place with another ticket? If so it does.
bool sync_semaphore_take(ipckit_sync* s, ipckit_wait_t* w, uint64_t ticket);
bool sync_rwlock_take(ipckit_sync* s, ipckit_wait_t* w, uint64_t ticket);
int sync_semaphore_release(ipckit_sync* s, uint32_t count, sync_wakes* wakes);
int sync_rwlock_release(ipckit_sync* s, bool shared, sync_wakes* wakes);
// Wakes those who may go on now.
void sync_semaphore_admit(ipckit_sync* s, sync_wakes* wakes);
void sync_rwlock_admit(ipckit_sync* s, sync_wakes* wakes);
int sync_semaphore_repair(ipckit_sync* s, const uint64_t* gone);
int sync_rwlock_repair(ipckit_sync* s, const uint64_t* gone, bool leaving);

// Conditions (condition.c), under the guard: the notice of a waiter that died goes to the next.
void sync_condition_pass_on(ipckit_sync* s, ipckit_layout_waiter_t* place, sync_wakes* wakes);

// Barriers (barrier.c), under the guard:
int sync_barrier_begin(ipckit_sync* s, ipckit_wait_t* w, sync_wakes* wakes);
int sync_barrier_count(ipckit_sync* s, uint32_t generation);
// Does to everyone what it says, which is one of IPCKIT_BARRIER_*.
void sync_barrier_do(ipckit_sync* s, uint32_t what, sync_wakes* wakes);
// Finishes what a dead one had begun to do, and gives the turn to whom it belongs.
void sync_barrier_finish(ipckit_sync* s, sync_wakes* wakes);

// Events (event.c):
int sync_event_begin(ipckit_sync* s, ipckit_wait_t* w, bool stays);
bool sync_event_passed(ipckit_sync* s, const ipckit_wait_t* w);
int sync_event_arm(ipckit_sync* s, const ipckit_wait_t* w, ipckit_wait_word_t* word);

// Waiting (waiting.c): the rest of a wait that began with -EAGAIN, which is over in any case then.
int sync_sleep_or_cancel(ipckit_sync* s, ipckit_wait_t* w, int64_t timeout_ns);

#endif
