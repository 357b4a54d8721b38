// See sync_scene.h.
#include "sync_scene.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char name[64];
stage* on_stage;
ipckit_sync_t* survivor;

static ipckit_sync_t* open_as(const char* who, uint32_t flags) {
  ipckit_sync_options_t options = {.participant = who, .flags = flags};
  ipckit_sync_t* s = NULL;
  return ipckit_sync_open(name, &options, NULL, &s) == 0 ? s : NULL;
}

// Sleepers.
void visit(bool shared) {
  const int mine = shared ? 1 : 1000;
  const int before = atomic_fetch_add(&on_stage->inside, mine);
  if (shared ? before >= 1000 : before != 0) atomic_fetch_add(&on_stage->overlaps, 1);
  for (int i = 0; i < 3; i++) sched_yield();
  atomic_fetch_sub(&on_stage->inside, mine);
}

static void sleep_there(sleeper* me) {
  ipckit_sync_t* s = open_as("sleeper", 0);
  if (s == NULL) _exit(3);
  ipckit_wait_t wait = {.operation = me->operation};
  int result = ipckit_sync_wait(s, &wait, 60 * RING_SECOND);
  if (result == 0 && (me->operation == IPCKIT_ACQUIRE || me->operation == IPCKIT_ACQUIRE_SHARED)) {
    me->order = atomic_fetch_add(&on_stage->order, 1);
    const bool shared = me->operation == IPCKIT_ACQUIRE_SHARED;
    if (!sync_is_semaphore(s->g.kind)) visit(shared);
    if (shared)
      ipckit_sync_release_shared(s);
    else
      ipckit_sync_release(s, 0, 1);
  }
  if (result == IPCKIT_BARRIER_ACTION) result = ipckit_barrier_action_done(s, &wait);
  me->owner_died = wait.owner_died;
  me->dead_pid = wait.dead_pid;
  me->index = wait.index;
  me->result = result;
  me->over = 1;
  ipckit_sync_close(s);
  _exit(0);
}

bool is_asleep(pid_t pid) {
  char path[64], line[256] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE* file = fopen(path, "r");
  if (file == NULL) return false;
  const bool read = fgets(line, sizeof line, file) != NULL;
  fclose(file);
  const char* end = read ? strrchr(line, ')') : NULL;
  return end != NULL && end[2] == 'S';
}

static uint32_t waiting_of(pid_t pid) {
  for (uint32_t slot = 0; slot < survivor->g.participants; slot++) {
    uint32_t epoch;
    const ipckit_layout_participant_t* place = &survivor->people.table[slot];
    if (ring_people_used(&survivor->people, slot, &epoch) && ring_load(&place->pid) == (uint32_t)pid)
      return ring_load(&place->waiting);
  }
  return 0;
}

void put_to_sleep(uint32_t operation) {
  sleeper* one = on_stage->sleepers;
  while (one->pid != 0) one++;
  memset(one, 0, sizeof *one);
  one->operation = operation;
  const pid_t pid = fork();
  if (pid < 0) give_up("fork");
  if (pid == 0) sleep_there(one);
  one->pid = pid;
  // From its wait on the only place where it sleeps is the word.
  for (int turn = 0; waiting_of(pid) == 0 || !is_asleep(pid); turn++) {
    if (turn > 20000 || one->over) give_up("the sleeper does not sleep");
    usleep(50);
  }
}

void bury(sleeper* one) {
  while (waitpid(one->pid, NULL, 0) < 0 && errno == EINTR) {
  }
  one->pid = 0;
}

void kill_sleeper(sleeper* one) {
  kill(one->pid, SIGKILL);
  bury(one);
}

void signal_sleepers(int signal) {
  for (const sleeper* one = on_stage->sleepers; one < on_stage->sleepers + MOST_SLEEPERS; one++) {
    if (one->pid != 0) kill(one->pid, signal);
  }
}

bool await_sleeper(const sleeper* one) {
  const int64_t end = ring_now() + HARD_BOUND;
  while (!one->over && ring_now() < end) usleep(20);
  return one->over;
}

// The survivor's part.
static void hold(uint32_t operation) {
  ipckit_wait_t wait = {.operation = operation};
  if (ipckit_sync_wait(survivor, &wait, 0) != 0) give_up("the survivor does not get it");
}
static void survivor_holds(void) { hold(IPCKIT_ACQUIRE); }
static void survivor_reads(void) { hold(IPCKIT_ACQUIRE_SHARED); }
static void survivor_sets(void) { ipckit_event_set(survivor); }

// Somebody who held, and is dead; `within`: in the middle of an operation.
static void die_holding(uint32_t operation, bool within) {
  const pid_t pid = fork();
  if (pid < 0) give_up("fork");
  if (pid == 0) {
    ipckit_sync_t* s = open_as("dead", 0);
    ipckit_wait_t wait = {.operation = operation};
    sync_wakes wakes;
    if (s == NULL || ipckit_sync_wait(s, &wait, 0) != 0) _exit(1);
    if (within && sync_enter(s, &wakes) != 0) _exit(1);
    on_stage->dead_tag = s->people.tag;
    kill(getpid(), SIGKILL);
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) give_up("no dead holder");
  on_stage->dead_pid = pid;
}
static void dead_holder(void) { die_holding(IPCKIT_ACQUIRE, false); }
static void dead_holder_within(void) { die_holding(IPCKIT_ACQUIRE, true); }
static void dead_reader(void) { die_holding(IPCKIT_ACQUIRE_SHARED, false); }
// The death is known, and nobody was told yet.
static void dead_and_swept(void) {
  dead_holder();
  ipckit_sync_sweep(survivor);
}

static void one_sleeper(void) { put_to_sleep(IPCKIT_ACQUIRE); }
static void two_sleepers(void) {
  put_to_sleep(IPCKIT_ACQUIRE);
  put_to_sleep(IPCKIT_ACQUIRE);
}
static void two_readers_sleep(void) {
  put_to_sleep(IPCKIT_ACQUIRE_SHARED);
  put_to_sleep(IPCKIT_ACQUIRE_SHARED);
}
static void writer_and_reader_sleep(void) {
  put_to_sleep(IPCKIT_ACQUIRE);
  put_to_sleep(IPCKIT_ACQUIRE_SHARED);
}
static void held_and_slept_for(void) {
  survivor_holds();
  one_sleeper();
}
static void two_await_event(void) {
  put_to_sleep(IPCKIT_WAIT_EVENT);
  put_to_sleep(IPCKIT_WAIT_EVENT);
}
static void one_awaits_notice(void) { put_to_sleep(IPCKIT_WAIT_CONDITION); }
static void two_await_notices(void) {
  put_to_sleep(IPCKIT_WAIT_CONDITION);
  put_to_sleep(IPCKIT_WAIT_CONDITION);
}
// The victim has waited longest, and is notified; another waits behind.
static void victim_is_notified(void) {
  one_awaits_notice();
  if (ipckit_condition_notify(survivor, 1) != 1) give_up("notify");
}
static void all_are_notified(void) {
  one_awaits_notice();
  if (ipckit_condition_notify(survivor, 9) != 2) give_up("notify");
}
// The heir of the victim's notice has a place before the victim's.
static ipckit_wait_t first_place;
static void take_the_first_place(void) {
  first_place = (ipckit_wait_t){.operation = IPCKIT_WAIT_CONDITION};
  if (ipckit_sync_begin(survivor, &first_place) != -EAGAIN) give_up("the first place");
}
static void heir_and_another(void) {
  if (ipckit_sync_cancel(survivor, &first_place) != 0) give_up("the first place");
  two_await_notices();
  if (ipckit_condition_notify(survivor, 1) != 1) give_up("notify");
}
static void one_at_barrier(void) { put_to_sleep(IPCKIT_WAIT_BARRIER); }
static void two_at_barrier(void) {
  put_to_sleep(IPCKIT_WAIT_BARRIER);
  put_to_sleep(IPCKIT_WAIT_BARRIER);
}
static void round_is_over(void) {
  ipckit_wait_t wait = {.operation = IPCKIT_WAIT_BARRIER};
  if (ipckit_sync_begin(survivor, &wait) != IPCKIT_BARRIER_ACTION) give_up("the last to come");
  if (ipckit_barrier_action_done(survivor, &wait) != 0) give_up("the action");
}

// What victims do. Their results are read when they are dead.
static ledger* mine;
static ipckit_wait_t the_wait;

static void begin_wait(ipckit_sync_t* s, uint32_t operation) {
  the_wait = (ipckit_wait_t){.operation = operation};
  mine->result = ipckit_sync_begin(s, &the_wait);
}
static void begin_and_try(ipckit_sync_t* s, uint32_t operation) {
  begin_wait(s, operation);
  // Its beginning may have found somebody dead.
  if (mine->result == -EAGAIN) mine->result = ipckit_sync_try(s, &the_wait);
}
static void acquire(ipckit_sync_t* s) { begin_and_try(s, IPCKIT_ACQUIRE); }
static void acquire_shared(ipckit_sync_t* s) { begin_and_try(s, IPCKIT_ACQUIRE_SHARED); }
static void acquire_twice(ipckit_sync_t* s) {
  acquire(s);
  acquire(s);
}
static void release(ipckit_sync_t* s) { mine->result = ipckit_sync_release(s, 0, 1); }
static void release_twice(ipckit_sync_t* s) {
  release(s);
  release(s);
}
static void release_shared(ipckit_sync_t* s) { mine->result = ipckit_sync_release_shared(s); }

// A wait that comes to nothing: all of it but the sleep.
static void wait_in_vain(ipckit_sync_t* s, uint32_t operation) {
  ipckit_wait_word_t word;
  int64_t bound;
  begin_wait(s, operation);
  if (mine->result != -EAGAIN) return;
  ipckit_sync_arm(s, &the_wait, &word, &bound);
  mine->result = ipckit_sync_try(s, &the_wait);
  if (mine->result == -EAGAIN) mine->result = ipckit_sync_cancel(s, &the_wait);
}
static void acquire_in_vain(ipckit_sync_t* s) { wait_in_vain(s, IPCKIT_ACQUIRE); }
static void acquire_shared_in_vain(ipckit_sync_t* s) { wait_in_vain(s, IPCKIT_ACQUIRE_SHARED); }
static void wait_event(ipckit_sync_t* s) { wait_in_vain(s, IPCKIT_WAIT_EVENT); }
static void set_event(ipckit_sync_t* s) { mine->result = ipckit_event_set(s); }
static void set_and_clear(ipckit_sync_t* s) {
  ipckit_event_set(s);
  mine->result = ipckit_event_clear(s);
}
static void clear_event(ipckit_sync_t* s) { mine->result = ipckit_event_clear(s); }

static void await_notice(ipckit_sync_t* s) { begin_wait(s, IPCKIT_WAIT_CONDITION); }
static void wait_condition(ipckit_sync_t* s) { wait_in_vain(s, IPCKIT_WAIT_CONDITION); }
static void wait_condition_locked(ipckit_sync_t* s) {
  ipckit_wait_word_t word;
  int64_t bound;
  await_notice(s);
  ipckit_sync_release(s, 0, 1);
  ipckit_sync_arm(s, &the_wait, &word, &bound);
  ipckit_sync_cancel(s, &the_wait);
  acquire(s);
}
static void take_notice(ipckit_sync_t* s) { mine->result = ipckit_sync_try(s, &the_wait); }
static void take_notice_and_lock(ipckit_sync_t* s) {
  take_notice(s);
  acquire(s);
}
static void take_back(ipckit_sync_t* s) { mine->result = ipckit_sync_cancel(s, &the_wait); }
static void notify_one(ipckit_sync_t* s) { mine->result = ipckit_condition_notify(s, 1); }
static void notify_all(ipckit_sync_t* s) { mine->result = ipckit_condition_notify(s, 1000); }
static void stay(ipckit_sync_t* s) { (void)s; }

static void come_to_barrier(ipckit_sync_t* s) { begin_wait(s, IPCKIT_WAIT_BARRIER); }
static void enter_barrier(ipckit_sync_t* s) { wait_in_vain(s, IPCKIT_WAIT_BARRIER); }
static void finish_action(ipckit_sync_t* s) { mine->result = ipckit_barrier_action_done(s, &the_wait); }
static void come_last(ipckit_sync_t* s) {
  come_to_barrier(s);
  finish_action(s);
}
static void abort_barrier(ipckit_sync_t* s) { mine->result = ipckit_barrier_abort(s); }
static void reset_barrier(ipckit_sync_t* s) { mine->result = ipckit_barrier_reset(s); }
static void detach(ipckit_sync_t* s) { mine->result = ipckit_sync_close(s); }
static void attach(ipckit_sync_t* s) {
  ipckit_sync_options_t options = {.participant = "victim"};
  mine->result = ipckit_sync_open(name, &options, NULL, &s);
}
static void attach_as_observer(ipckit_sync_t* s) {
  ipckit_sync_options_t options = {.participant = "victim", .flags = IPCKIT_SYNC_OBSERVER};
  mine->result = ipckit_sync_open(name, &options, NULL, &s);
}
static void sweep(ipckit_sync_t* s) { mine->result = ipckit_sync_sweep(s); }

// Every place is taken, one of them by a party that is dead.
static ipckit_sync_t* fillers[PARTICIPANTS];
static void dead_party_in_full_room(void) {
  int count = 0;
  while ((fillers[count] = open_as("filler", 0)) != NULL) count++;
  ipckit_sync_close(fillers[--count]);
  fillers[count] = NULL;
  const pid_t pid = fork();
  if (pid < 0) give_up("fork");
  if (pid == 0) {
    if (open_as("dead", 0) == NULL) _exit(1);
    kill(getpid(), SIGKILL);
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) give_up("no dead party");
  on_stage->dead_pid = pid;
}

void make_room(void) {
  for (int i = 0; i < PARTICIPANTS && fillers[i] != NULL; i++) {
    ipckit_sync_close(fillers[i]);
    fillers[i] = NULL;
  }
}

#define LOCK IPCKIT_KIND_LOCK
#define RLOCK IPCKIT_KIND_RLOCK
#define RWLOCK IPCKIT_KIND_RWLOCK
#define SEMAPHORE IPCKIT_KIND_SEMAPHORE
#define BOUNDED IPCKIT_KIND_BOUNDED_SEMAPHORE
#define CONDITION IPCKIT_KIND_CONDITION
#define EVENT IPCKIT_KIND_EVENT
#define BARRIER IPCKIT_KIND_BARRIER
#define VALUE IPCKIT_KIND_VALUE

const scene scenes[] = {
    {"lock-acquire", LOCK, 0, NULL, NULL, NULL, acquire, false, true, 0, 0, 0},
    {"lock-acquire-held", LOCK, 0, survivor_holds, NULL, NULL, acquire_in_vain, 0, 0, 0, 0, 0},
    {"lock-acquire-slept-for", LOCK, 0, held_and_slept_for, NULL, NULL, acquire_in_vain, 0, 0, 0, 0, 0},
    {"lock-acquire-dead", LOCK, 0, NULL, NULL, dead_holder, acquire, 0, true, 0, 0, 0},
    {"lock-acquire-dead-within", LOCK, 0, NULL, NULL, dead_holder_within, acquire, 0, true, 0, 0, 0},
    {"lock-acquire-untold", LOCK, 0, dead_and_swept, NULL, NULL, acquire, 0, true, 0, 0, 0},
    {"lock-release", LOCK, 0, NULL, acquire, NULL, release, true, 0, 0, 0, 0},
    {"lock-release-one-sleeps", LOCK, 0, NULL, acquire, one_sleeper, release, true, 0, 0, 0, 0},
    {"lock-release-two-sleep", LOCK, 0, NULL, acquire, two_sleepers, release, true, 0, 0, 0, 0},
    {"lock-attach-dead", LOCK, 0, dead_holder, NULL, NULL, attach, 0, 0, true, 0, 0},
    {"lock-detach-held", LOCK, 0, NULL, acquire, one_sleeper, detach, true, 0, 0, 0, 0},
    {"lock-sweep-dead", LOCK, 0, NULL, NULL, dead_holder, sweep, 0, 0, 0, 0, 0},
    {"rlock-acquire", RLOCK, 0, NULL, NULL, NULL, acquire, 0, true, 0, 0, 0},
    {"rlock-acquire-twice", RLOCK, 0, NULL, NULL, NULL, acquire_twice, 0, true, 0, 0, 0},
    {"rlock-acquire-dead", RLOCK, 0, NULL, NULL, dead_holder, acquire, 0, true, 0, 0, 0},
    {"rlock-release-twice", RLOCK, 0, NULL, acquire_twice, one_sleeper, release_twice, true, 0, 0, 0, 0},
    {"value-acquire", VALUE, 0, NULL, NULL, NULL, acquire, 0, true, 0, 0, 0},
    {"value-release-one-sleeps", VALUE, 0, NULL, acquire, one_sleeper, release, true, 0, 0, 0, 0},
    {"rwlock-acquire", RWLOCK, 0, NULL, NULL, NULL, acquire, 0, true, 0, 0, 0},
    {"rwlock-acquire-read", RWLOCK, 0, survivor_reads, NULL, NULL, acquire_in_vain, 0, 0, 0, 0, 0},
    {"rwlock-acquire-dead", RWLOCK, 0, NULL, NULL, dead_holder, acquire, 0, true, 0, 0, 0},
    {"rwlock-acquire-dead-reader", RWLOCK, 0, NULL, NULL, dead_reader, acquire, 0, true, 0, 0, 0},
    {"rwlock-acquire-untold", RWLOCK, 0, dead_and_swept, NULL, NULL, acquire, 0, true, 0, 0, 0},
    {"rwlock-release", RWLOCK, 0, NULL, acquire, writer_and_reader_sleep, release, true, 0, 0, 0, 0},
    {"rwlock-release-readers", RWLOCK, 0, NULL, acquire, two_readers_sleep, release, true, 0, 0, 0, 0},
    {"rwlock-shared", RWLOCK, 0, NULL, NULL, NULL, acquire_shared, 0, 0, 0, 0, 0},
    {"rwlock-shared-read", RWLOCK, 0, survivor_reads, NULL, NULL, acquire_shared, 0, 0, 0, 0, 0},
    {"rwlock-shared-held", RWLOCK, 0, survivor_holds, NULL, NULL, acquire_shared_in_vain, 0, 0, 0, 0, 0},
    {"rwlock-shared-dead", RWLOCK, 0, NULL, NULL, dead_holder, acquire_shared, 0, 0, 0, 0, 0},
    {"rwlock-shared-untold", RWLOCK, 0, dead_and_swept, NULL, NULL, acquire_shared, 0, 0, 0, 0, 0},
    {"rwlock-release-shared", RWLOCK, 0, NULL, acquire_shared, writer_and_reader_sleep, release_shared, 0, 0,
     0, 0, 0},
    {"rwlock-release-shared-told", RWLOCK, 0, dead_and_swept, acquire_shared, one_sleeper, release_shared, 0,
     0, 0, 0, 0},
    {"rwlock-detach-held", RWLOCK, 0, NULL, acquire, two_readers_sleep, detach, true, 0, 0, 0, 0},
    {"semaphore-acquire-two-left", SEMAPHORE, 2, NULL, NULL, NULL, acquire, 0, 0, 0, 0, 0},
    {"semaphore-acquire-one-left", SEMAPHORE, 2, survivor_holds, NULL, NULL, acquire, 0, 0, 0, 0, 0},
    {"semaphore-acquire-none-left", SEMAPHORE, 1, survivor_holds, NULL, NULL, acquire_in_vain, 0, 0, 0, 0, 0},
    {"semaphore-acquire-dead", SEMAPHORE, 1, NULL, NULL, dead_holder, acquire, 0, 0, 0, 0, 0},
    {"semaphore-acquire-dead-within", BOUNDED, 1, NULL, NULL, dead_holder_within, acquire, 0, 0, 0, 0, 0},
    {"semaphore-release", BOUNDED, 2, NULL, acquire, NULL, release, 0, 0, 0, 0, 0},
    {"semaphore-release-one-sleeps", SEMAPHORE, 1, NULL, acquire, one_sleeper, release, 0, 0, 0, 0, 0},
    {"semaphore-release-two-sleep", SEMAPHORE, 1, NULL, acquire, two_sleepers, release, 0, 0, 0, 0, 0},
    {"semaphore-release-foreign", SEMAPHORE, 1, survivor_holds, NULL, one_sleeper, release, 0, 0, 0, 0, 0},
    {"semaphore-attach-dead", SEMAPHORE, 2, dead_holder, NULL, NULL, attach, 0, 0, true, 0, 0},
    {"semaphore-detach-held", SEMAPHORE, 1, NULL, acquire, one_sleeper, detach, 0, 0, 0, 0, 0},
    {"semaphore-sweep-dead", SEMAPHORE, 1, NULL, NULL, dead_holder, sweep, 0, 0, 0, 0, 0},
    {"event-set", EVENT, 0, NULL, NULL, NULL, set_event, 0, 0, 0, 0, 0},
    {"event-set-two-wait", EVENT, 0, NULL, NULL, two_await_event, set_event, 0, 0, 0, 0, 0},
    {"event-set-and-clear", EVENT, 0, NULL, NULL, two_await_event, set_and_clear, 0, 0, 0, 0, 0},
    {"event-clear", EVENT, 0, survivor_sets, NULL, NULL, clear_event, 0, 0, 0, 0, 0},
    {"event-wait", EVENT, 0, NULL, NULL, two_await_event, wait_event, 0, 0, 0, 0, 0},
    {"event-wait-set", EVENT, 0, survivor_sets, NULL, NULL, wait_event, 0, 0, 0, 0, 0},
    {"condition-wait", CONDITION, 0, NULL, NULL, two_await_notices, wait_condition, 0, 0, 0, 0, 0},
    {"condition-wait-locked", CONDITION, 0, NULL, acquire, one_sleeper, wait_condition_locked, true, true, 0,
     0, 0},
    {"condition-take-notice", CONDITION, 0, NULL, await_notice, victim_is_notified, take_notice, 0, 0, 0, 0,
     0},
    {"condition-take-and-lock", CONDITION, 0, NULL, await_notice, victim_is_notified, take_notice_and_lock, 0,
     true, 0, 0, 0},
    {"condition-take-back", CONDITION, 0, NULL, await_notice, victim_is_notified, take_back, 0, 0, 0, 0, 0},
    {"condition-take-call", CONDITION, 0, NULL, await_notice, all_are_notified, take_notice, 0, 0, 0, 0, 0},
    {"condition-notify", CONDITION, 0, NULL, NULL, NULL, notify_one, 0, 0, 0, 0, 0},
    {"condition-notify-two-wait", CONDITION, 0, NULL, NULL, two_await_notices, notify_one, 0, 0, 0, 0, 0},
    {"condition-notify-all", CONDITION, 0, NULL, NULL, two_await_notices, notify_all, 0, 0, 0, 0, 0},
    {"condition-heir-dies", CONDITION, 0, take_the_first_place, await_notice, heir_and_another, stay, 0, 0, 0,
     0, true},
    {"condition-detach", CONDITION, 0, NULL, await_notice, victim_is_notified, detach, 0, 0, 0, 0, 0},
    {"barrier-enter", BARRIER, 3, NULL, NULL, one_at_barrier, enter_barrier, 0, 0, 0, 0, 0},
    {"barrier-come-last", BARRIER, 3, NULL, NULL, two_at_barrier, come_last, 0, 0, 0, 0, 0},
    {"barrier-action-done", BARRIER, 3, two_at_barrier, come_to_barrier, NULL, finish_action, 0, 0, 0, 0, 0},
    {"barrier-leave", BARRIER, 2, NULL, come_to_barrier, round_is_over, take_notice, 0, 0, 0, 0, 0},
    {"barrier-take-back", BARRIER, 3, NULL, come_to_barrier, one_at_barrier, take_back, 0, 0, 0, 0, 0},
    {"barrier-abort", BARRIER, 3, NULL, NULL, two_at_barrier, abort_barrier, 0, 0, 0, true, 0},
    {"barrier-reset", BARRIER, 3, NULL, NULL, two_at_barrier, reset_barrier, 0, 0, 0, true, 0},
    {"barrier-attach", BARRIER, 2, NULL, NULL, NULL, attach, 0, 0, true, 0, 0},
    {"barrier-attach-observer", BARRIER, 2, NULL, NULL, NULL, attach_as_observer, 0, 0, true, true, 0},
    {"barrier-adopt-observer", BARRIER, 2, NULL, NULL, dead_party_in_full_room, attach_as_observer, 0, 0,
     true, true, 0},
    {"barrier-detach", BARRIER, 3, NULL, NULL, one_at_barrier, detach, 0, 0, 0, 0, 0},
    {"barrier-detach-waiting", BARRIER, 3, NULL, come_to_barrier, one_at_barrier, detach, 0, 0, 0, 0, 0},
};
const int scene_count = sizeof scenes / sizeof scenes[0];

// Setting up.
void set_up(const scene* sc) {
  ipckit_sync_options_t options = {.kind = sc->kind,
                                   .value = sc->value,
                                   .bytes = sc->kind == VALUE ? 8 : 0,
                                   .participants = PARTICIPANTS,
                                   .waiters = 8,
                                   .participant = "survivor"};
  memset(on_stage, 0, sizeof *on_stage);
  ipckit_sync_unlink(name, NULL);
  if (ipckit_sync_create(name, &options, NULL, &survivor) != 0) give_up("create");
  if (sc->before) sc->before();
}

void take_down(void) {
  for (sleeper* one = on_stage->sleepers; one < on_stage->sleepers + MOST_SLEEPERS; one++) {
    if (one->pid != 0) kill_sleeper(one);
  }
  ipckit_sync_close(survivor);
  ipckit_sync_unlink(name, NULL);
}

typedef struct part {
  const scene* sc;
  ledger* says;
  bool sweeps;
  ipckit_sync_t* sync;
} part;

static void prepare_it(void* context) {
  part* p = context;
  mine = p->says;
  if (!p->sweeps && p->sc->detached) return;
  // Who sweeps is no party of a barrier.
  p->sync = open_as("victim", p->sweeps || p->sc->observer ? IPCKIT_SYNC_OBSERVER : 0);
  if (p->sync == NULL) _exit(3);
  mine->tag = p->sync->people.tag;
  if (!p->sweeps && p->sc->prepare) p->sc->prepare(p->sync);
}

static void run_it(void* context) {
  part* p = context;
  if (p->sweeps)
    sweep(p->sync);
  else
    p->sc->run(p->sync);
}

static tracee start_one(const scene* sc, int number, bool sweeps) {
  part p = {sc, &on_stage->victims[number], sweeps, NULL};
  return start_tracee(&p.says->at, prepare_it, run_it, &p);
}

tracee start_victim(const scene* sc) {
  tracee t = start_one(sc, 0, false);
  if (sc->between) sc->between();
  return t;
}

tracee start_sweeper(const scene* sc) { return start_one(sc, 1, true); }
