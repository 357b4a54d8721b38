// The swallowed wake: of two who sleep, the one that is woken is killed before it runs. At a semaphore of the
// C library the other one sleeps on, although there is a permit; at ours it must come through by itself.
//
//   swallowed_wake [--rounds N]     20 by default
//
// Everything runs on one processor, and this process before all others, so that whoever it woke has not run
// yet when it is killed. Prints how often a wake was swallowed, and how long the other one took; a sleeper
// that sleeps on is a violation, and so is a semaphore of the C library at which none does, since then
// nothing was shown.
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sync_scene.h"

// Time enough for a sleeper that is going to wake.
#define ENOUGH (500 * RING_MILLISECOND)

// The sleepers go on with the ordinary priority.
static void run_first(bool first) {
  const struct sched_param priority = {.sched_priority = first ? 1 : 0};
  if (sched_setscheduler(0, (first ? SCHED_FIFO : SCHED_OTHER) | SCHED_RESET_ON_FORK, &priority) < 0) {
    // Without the right to it, what counts is how often it came out so.
    static bool told;
    if (!told) printf("without SCHED_FIFO\n");
    told = true;
  }
}

// The C library.
typedef struct plain {
  sem_t permits;
  volatile int through[2];
} plain;

static pid_t sleep_at(plain* p, int number) {
  const pid_t pid = fork();
  if (pid < 0) give_up("fork");
  if (pid == 0) {
    sem_wait(&p->permits);
    p->through[number] = 1;
    _exit(0);
  }
  while (!is_asleep(pid)) usleep(100);
  usleep(2000);
  return pid;
}

static void show_plain(int rounds) {
  int swallowed = 0, slept_on = 0;
  plain* p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) give_up("mmap");
  snprintf(description, sizeof description, "sem_t");
  for (int round = 0; round < rounds; round++) {
    alarm(60);
    memset(p, 0, sizeof *p);
    sem_init(&p->permits, 1, 0);
    const pid_t first = sleep_at(p, 0), second = sleep_at(p, 1);
    run_first(true);
    sem_post(&p->permits);
    kill(first, SIGKILL);
    run_first(false);
    waitpid(first, NULL, 0);
    swallowed += !p->through[0];
    for (const int64_t end = ring_now() + ENOUGH; !p->through[1] && ring_now() < end;) usleep(1000);
    int value;
    sem_getvalue(&p->permits, &value);
    slept_on += !p->through[0] && !p->through[1] && value == 1;
    kill(second, SIGKILL);
    waitpid(second, NULL, 0);
    sem_destroy(&p->permits);
  }
  munmap(p, sizeof *p);
  printf("%-17s %3d rounds, %3d wakes swallowed, %3d times the other slept on beside a permit\n", "sem_t",
         rounds, swallowed, slept_on);
  if (slept_on == 0) complain("not reproduced", swallowed, rounds);
}

// Ours.
typedef struct object {
  scene sc;
  uint32_t operation;  // of those who sleep
  uint32_t held;       // what we acquire first, or 0
  void (*wake)(void);
} object;

static void release(void) { ipckit_sync_release(survivor, 0, 1); }
static void set(void) { ipckit_event_set(survivor); }
static void notify(void) { ipckit_condition_notify(survivor, 1); }
static void come_last(void) {
  ipckit_wait_t wait = {.operation = IPCKIT_WAIT_BARRIER};
  if (ipckit_sync_begin(survivor, &wait) != IPCKIT_BARRIER_ACTION) complain("not the last", 0, 0);
  if (ipckit_barrier_action_done(survivor, &wait) != 0) complain("the action", 0, 0);
}

static const object objects[] = {
    {{.name = "Lock", .kind = IPCKIT_KIND_LOCK}, IPCKIT_ACQUIRE, IPCKIT_ACQUIRE, release},
    {{.name = "RLock", .kind = IPCKIT_KIND_RLOCK}, IPCKIT_ACQUIRE, IPCKIT_ACQUIRE, release},
    {{.name = "RWLock", .kind = IPCKIT_KIND_RWLOCK}, IPCKIT_ACQUIRE, IPCKIT_ACQUIRE, release},
    {{.name = "Semaphore", .kind = IPCKIT_KIND_SEMAPHORE, .value = 1},
     IPCKIT_ACQUIRE,
     IPCKIT_ACQUIRE,
     release},
    {{.name = "BoundedSemaphore", .kind = IPCKIT_KIND_BOUNDED_SEMAPHORE, .value = 1},
     IPCKIT_ACQUIRE,
     IPCKIT_ACQUIRE,
     release},
    {{.name = "Condition", .kind = IPCKIT_KIND_CONDITION}, IPCKIT_WAIT_CONDITION, 0, notify},
    {{.name = "Event", .kind = IPCKIT_KIND_EVENT}, IPCKIT_WAIT_EVENT, 0, set},
    {{.name = "Barrier", .kind = IPCKIT_KIND_BARRIER, .value = 3}, IPCKIT_WAIT_BARRIER, 0, come_last},
};

static void show(const object* o, int rounds) {
  int swallowed = 0;
  int64_t slowest = 0, sum = 0;
  snprintf(description, sizeof description, "%s", o->sc.name);
  for (int round = 0; round < rounds; round++) {
    alarm(60);
    set_up(&o->sc);
    ipckit_wait_t mine = {.operation = o->held};
    if (o->held != 0 && ipckit_sync_wait(survivor, &mine, 0) != 0) give_up("the survivor does not get it");
    put_to_sleep(o->operation);
    put_to_sleep(o->operation);
    sleeper *first = &on_stage->sleepers[0], *second = &on_stage->sleepers[1];
    run_first(true);
    o->wake();
    kill(first->pid, SIGKILL);
    const int64_t killed = ring_now();
    run_first(false);
    bury(first);
    swallowed += !first->over;
    const bool through = await_sleeper(second);
    const int64_t took = ring_now() - killed;
    if (!through) complain("the other sleeps on", round, second->result);
    if (through && second->result != 0) complain("the other got", second->result, round);
    slowest = took > slowest ? took : slowest;
    sum += took;
    if (through) bury(second);
    take_down();
  }
  printf("%-17s %3d rounds, %3d wakes swallowed, the other through after %6.1f ms, at most %6.1f\n",
         o->sc.name, rounds, swallowed, (double)sum / rounds / RING_MILLISECOND,
         (double)slowest / RING_MILLISECOND);
  if (swallowed == 0) complain("none was swallowed", 0, rounds);
}

int main(int argc, char** argv) {
  int rounds = argc == 3 && strcmp(argv[1], "--rounds") == 0 ? atoi(argv[2]) : argc == 1 ? 20 : 0;
  if (rounds <= 0) return fprintf(stderr, "usage: swallowed_wake [--rounds N]\n"), 2;
  snprintf(name, sizeof name, "/ipckit-swallowed-%d", (int)getpid());
  on_stage = mmap(NULL, sizeof *on_stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (on_stage == MAP_FAILED) give_up("mmap");
  prepare_to_trace();
  setvbuf(stdout, NULL, _IOLBF, 0);
  show_plain(rounds);
  for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) show(&objects[i], rounds);
  printf("%lu violations\n", violations);
  return violations != 0;
}
