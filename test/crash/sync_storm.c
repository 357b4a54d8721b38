// A kill storm at locks and friends: processes use a lock, a rwlock, a semaphore, a condition, an event and a
// barrier at random, while they are killed, stopped and started at random.
//
//   sync_storm [--seconds N] [--processes N] [--seed S]
//
// 60 seconds and 8 processes by default. Everyone writes into memory that survives it that it is inside, and
// looks there who else is; the driver notes a death before it sends it. Violations: two inside at once, of
// whom neither is dying; a critical section that was cut short, and the next holder was not told, or of the
// death of somebody who was not killed; a call that takes more than two seconds longer than its timeout;
// permits, parties or places that are left over in the end. Prints counts and the seed; exit code 1 with a
// violation.
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipckit/layout.h"
#include "ipckit/sync.h"

#define MOST 32
#define PERMITS 3
#define PARTIES 2
#define PIDS (1 << 22)
#define MILLISECOND 1000000LL
#define SECOND (1000 * MILLISECOND)
#define HARD_BOUND (2 * SECOND)
#define PATIENCE (20 * SECOND)
// A driver that was held up so long says nothing about the others.
#define NOISE (100 * MILLISECOND)

enum object { LOCK, RWLOCK, SEMAPHORE, CONDITION, EVENT, BARRIER, OBJECTS };
static const uint32_t kinds[] = {IPCKIT_KIND_LOCK,      IPCKIT_KIND_RWLOCK, IPCKIT_KIND_SEMAPHORE,
                                 IPCKIT_KIND_CONDITION, IPCKIT_KIND_EVENT,  IPCKIT_KIND_BARRIER};
static const uint32_t values[] = {0, 0, PERMITS, 0, 0, PARTIES};
static const char* const names[] = {"lock", "rwlock", "semaphore", "condition", "event", "barrier"};

// One process at a time.
typedef struct seat {
  atomic_int pid;
  atomic_int dying;            // noted before the SIGKILL
  atomic_int stops;            // SIGSTOPs so far
  atomic_int inside[OBJECTS];  // it holds: 1, or 2 shared
} seat;

// What a lock guards: both counts are the same whenever nobody is inside.
typedef struct guarded {
  atomic_int who;  // pid of who is inside
  volatile uint64_t before, after;
} guarded;

typedef struct shared {
  seat seats[MOST];
  guarded lock, rwlock, condition;
  volatile uint32_t messages;  // under the condition's lock
  atomic_int over;
  atomic_llong noise;  // when the driver was last held up
  atomic_ulong violations, operations, interrupted, told, unknown, held, broken, timeouts;
  atomic_ulong passed[PARTIES];
  atomic_llong slowest;
  uint8_t killed[PIDS];
} shared;

static shared* s;
static char name[64];
static uint64_t seed;
static unsigned long kills, stops;
static int processes = 8;

static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * SECOND + t.tv_nsec;
}

static void complain(const char* where, const char* what, long a, long b) {
  atomic_fetch_add(&s->violations, 1);
  printf("VIOLATION %s: %s (%ld, %ld)\n", where, what, a, b);
  fflush(stdout);
}

static ipckit_sync_t* open_object(int object, bool creates) {
  ipckit_sync_options_t options = {
      .kind = kinds[object], .value = values[object], .participants = 64, .participant = "storm"};
  char path[96];
  ipckit_sync_t* sync = NULL;
  // The driver is no party.
  if (creates) options.flags = IPCKIT_SYNC_OBSERVER;
  snprintf(path, sizeof path, "%s-%s", name, names[object]);
  int result = creates ? ipckit_sync_create(path, &options, NULL, &sync)
                       : ipckit_sync_open(path, &options, NULL, &sync);
  if (result != 0) complain(names[object], ipckit_strerror(result), result, 0);
  return sync;
}

// A process.
static ipckit_sync_t* objects[OBJECTS];
static seat* me;

// A wait that came back: was that in time? Not asked of who was stopped himself.
typedef struct stopwatch {
  int64_t started;
  int stops;
} stopwatch;

static stopwatch start(void) { return (stopwatch){now(), atomic_load(&me->stops)}; }

static void stop(int object, stopwatch watch, int64_t timeout) {
  const int64_t took = now() - watch.started;
  if (atomic_load(&me->stops) != watch.stops || atomic_load(&s->noise) > watch.started) return;
  int64_t late = took - timeout;
  if (late > HARD_BOUND) complain(names[object], "late by ms", (long)(late / MILLISECOND), 0);
  if (late > atomic_load(&s->slowest)) atomic_store(&s->slowest, late);
}

static bool failed(int object, int result) {
  if (result >= 0) return false;
  // A stopped process may hold the guard of an object for a moment too long.
  if (result == IPCKIT_E_HELD)
    atomic_fetch_add(&s->held, 1);
  else if (result == -ETIMEDOUT || result == -EAGAIN)
    atomic_fetch_add(&s->timeouts, 1);
  else if (result != -EINTR)
    complain(names[object], ipckit_strerror(result), result, 0);
  return true;
}

static bool acquire(int object, uint32_t operation, ipckit_wait_t* wait) {
  // Locks are held by others for a moment only, who may be stopped for one; so it must come soon.
  *wait = (ipckit_wait_t){.operation = operation};
  stopwatch watch = start();
  int result = ipckit_sync_wait(objects[object], wait, PATIENCE);
  stop(object, watch, 0);
  if (failed(object, result)) return false;
  if (wait->owner_died) {
    atomic_fetch_add(&s->told, 1);
    if (wait->dead_pid == 0)
      atomic_fetch_add(&s->unknown, 1);
    else if (wait->dead_pid >= PIDS || !s->killed[wait->dead_pid])
      complain(names[object], "told of the death of who was not killed", wait->dead_pid, getpid());
  }
  return true;
}

static void release(int object, bool is_shared) {
  int result =
      is_shared ? ipckit_sync_release_shared(objects[object]) : ipckit_sync_release(objects[object], 0, 1);
  failed(object, result);
}

// How many others are inside in a way that excludes ours, and do not die just now.
static int others_inside(int object, bool is_shared) {
  int count = 0;
  for (int i = 0; i < processes; i++) {
    const seat* other = &s->seats[i];
    const int inside = atomic_load(&other->inside[object]);
    if (other == me || inside == 0 || (is_shared && inside == 2) || atomic_load(&other->dying)) continue;
    count++;
  }
  return count;
}

static void linger(void) {
  for (uint64_t i = next_random() % 2000; i > 0; i--) __asm__ volatile("");
  if (next_random() % 16 == 0) usleep(50);
}

// Inside, exclusively. `must_tell`: that the next one is told of a section cut short.
static void enter(int object, guarded* g, const ipckit_wait_t* wait) {
  const int others = others_inside(object, false);
  if (others != 0) complain(names[object], "others are inside", others, getpid());
  const int last = atomic_load(&g->who);
  if (last != 0 || g->before != g->after) {
    atomic_fetch_add(&s->interrupted, 1);
    if (!wait->owner_died) complain(names[object], "cut short, and not told", last, getpid());
    if (wait->dead_pid != 0 && last != 0 && (int)wait->dead_pid != last)
      complain(names[object], "told of another's death", last, wait->dead_pid);
    g->after = g->before;
  }
  atomic_store(&me->inside[object], 1);
  atomic_store(&g->who, getpid());
  g->before++;
  linger();
  g->after++;
}

static void go_out(int object, guarded* g) {
  atomic_store(&g->who, 0);
  atomic_store(&me->inside[object], 0);
}

static void use_lock(void) {
  ipckit_wait_t wait;
  if (!acquire(LOCK, IPCKIT_ACQUIRE, &wait)) return;
  enter(LOCK, &s->lock, &wait);
  go_out(LOCK, &s->lock);
  release(LOCK, false);
}

static void use_rwlock(void) {
  ipckit_wait_t wait;
  const bool reads = next_random() % 4 != 0;
  if (!acquire(RWLOCK, reads ? IPCKIT_ACQUIRE_SHARED : IPCKIT_ACQUIRE, &wait)) return;
  if (reads) {
    const int others = others_inside(RWLOCK, true);
    if (others != 0) complain("rwlock", "writers beside a reader", others, getpid());
    atomic_store(&me->inside[RWLOCK], 2);
    const uint64_t before = s->rwlock.before;
    linger();
    if (s->rwlock.before != before) complain("rwlock", "written while read", 0, 0);
    atomic_store(&me->inside[RWLOCK], 0);
  } else {
    // Of a writer that was cut short a reader may have been told.
    const uint32_t died = wait.owner_died;
    const int last = atomic_load(&s->rwlock.who);
    if (!died && last != 0 && last < PIDS && s->killed[last]) {
      atomic_store(&s->rwlock.who, 0);
      s->rwlock.after = s->rwlock.before;
    }
    enter(RWLOCK, &s->rwlock, &wait);
    go_out(RWLOCK, &s->rwlock);
  }
  release(RWLOCK, reads);
}

static void use_semaphore(void) {
  ipckit_wait_t wait;
  if (!acquire(SEMAPHORE, IPCKIT_ACQUIRE, &wait)) return;
  const int others = others_inside(SEMAPHORE, false);
  if (others >= PERMITS) complain("semaphore", "more inside than permits", others + 1, PERMITS);
  atomic_store(&me->inside[SEMAPHORE], 1);
  linger();
  atomic_store(&me->inside[SEMAPHORE], 0);
  release(SEMAPHORE, false);
}

static void use_condition(void) {
  ipckit_wait_t wait;
  if (!acquire(CONDITION, IPCKIT_ACQUIRE, &wait)) return;
  enter(CONDITION, &s->condition, &wait);
  const bool sends = next_random() % 2 == 0;
  int result = 0;
  if (sends) {
    s->messages++;
    const uint32_t count = next_random() % 8 == 0 ? 1000 : 1;
    result = ipckit_condition_notify(objects[CONDITION], count);
    failed(CONDITION, result);
  }
  while (!sends && s->messages == 0 && result == 0) {
    const int64_t timeout = (int64_t)(next_random() % 20) * MILLISECOND;
    go_out(CONDITION, &s->condition);
    stopwatch watch = start();
    result = ipckit_condition_wait(objects[CONDITION], 0, timeout, &wait);
    stop(CONDITION, watch, timeout);
    if (ipckit_sync_holds(objects[CONDITION], 0) == 0) {
      failed(CONDITION, result);
      return;
    }
    if (wait.owner_died) atomic_fetch_add(&s->told, 1);
    enter(CONDITION, &s->condition, &wait);
  }
  if (!sends && s->messages != 0) s->messages--;
  go_out(CONDITION, &s->condition);
  release(CONDITION, false);
}

static void use_event(void) {
  const uint64_t what = next_random() % 4;
  if (what == 0) {
    failed(EVENT, ipckit_event_set(objects[EVENT]));
  } else if (what == 1) {
    failed(EVENT, ipckit_event_clear(objects[EVENT]));
  } else {
    ipckit_wait_t wait = {.operation = IPCKIT_WAIT_EVENT};
    const int64_t timeout = (int64_t)(next_random() % 10) * MILLISECOND;
    stopwatch watch = start();
    failed(EVENT, ipckit_sync_wait(objects[EVENT], &wait, timeout));
    stop(EVENT, watch, timeout);
  }
}

static void use_barrier(void) {
  ipckit_wait_t wait = {.operation = IPCKIT_WAIT_BARRIER};
  const int64_t timeout = 1 + (int64_t)(next_random() % 20) * MILLISECOND;
  stopwatch watch = start();
  int result = ipckit_sync_wait(objects[BARRIER], &wait, timeout);
  if (result == IPCKIT_BARRIER_ACTION) result = ipckit_barrier_action_done(objects[BARRIER], &wait);
  stop(BARRIER, watch, timeout);
  if (result == IPCKIT_E_BROKEN || result == -ETIMEDOUT) {
    atomic_fetch_add(&s->broken, 1);
    failed(BARRIER, ipckit_barrier_reset(objects[BARRIER]));
  } else if (!failed(BARRIER, result)) {
    if (wait.index >= PARTIES) return complain("barrier", "index", wait.index, PARTIES);
    atomic_fetch_add(&s->passed[wait.index], 1);
  }
}

static void work(int number) {
  static void (*const uses[])(void) = {use_lock,      use_rwlock, use_semaphore,
                                       use_condition, use_event,  use_barrier};
  me = &s->seats[number];
  // A parent that is gone leaves nobody behind.
  for (int object = 0; object < OBJECTS; object++) {
    objects[object] = open_object(object, false);
    if (objects[object] == NULL) _exit(1);
  }
  while (!atomic_load(&s->over) && getppid() != 1) {
    uses[next_random() % OBJECTS]();
    atomic_fetch_add(&s->operations, 1);
  }
  for (int object = 0; object < OBJECTS; object++) ipckit_sync_close(objects[object]);
  _exit(0);
}

// The driver.
static void launch(int number) {
  seat* one = &s->seats[number];
  for (int object = 0; object < OBJECTS; object++) atomic_store(&one->inside[object], 0);
  atomic_store(&one->dying, 0);
  const uint64_t its_seed = next_random();
  const pid_t pid = fork();
  if (pid < 0) {
    perror("fork");
    exit(2);
  }
  if (pid == 0) {
    seed = its_seed;
    work(number);
  }
  atomic_store(&one->pid, pid);
}

static void reap(int number) {
  int status;
  while (waitpid(atomic_load(&s->seats[number].pid), &status, 0) < 0 && errno == EINTR) {
  }
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (!killed && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
    complain("a process", "ended by itself, status", status, number);
}

static void strike(void) {
  const int number = (int)(next_random() % (uint64_t)processes);
  seat* one = &s->seats[number];
  const pid_t pid = atomic_load(&one->pid);
  if (next_random() % 6 == 0) {
    atomic_fetch_add(&one->stops, 1);
    kill(pid, SIGSTOP);
    usleep((useconds_t)(next_random() % 20000));
    atomic_fetch_add(&one->stops, 1);
    kill(pid, SIGCONT);
    stops++;
    return;
  }
  if (pid < PIDS) s->killed[pid] = 1;
  atomic_store(&one->dying, 1);
  kill(pid, SIGKILL);
  reap(number);
  kills++;
  launch(number);
}

static void judge_end(ipckit_sync_t* const* mine) {
  for (int object = 0; object < OBJECTS; object++) {
    ipckit_sync_t* sync = mine[object];
    ipckit_sync_stat_t stat;
    int result = ipckit_sync_sweep(sync);
    if (result >= 0) result = ipckit_sync_stat(sync, &stat);
    if (result < 0) {
      complain(names[object], ipckit_strerror(result), result, 0);
      continue;
    }
    if (stat.participants != 1 || stat.waiters != 0)
      complain(names[object], "somebody is left", stat.participants, stat.waiters);
    if (object == SEMAPHORE && (stat.value != PERMITS || stat.held != 0))
      complain("semaphore", "permits left over", stat.value, stat.held);
    if (object != SEMAPHORE && object != EVENT && object != BARRIER && stat.holder_slot != IPCKIT_LAYOUT_NONE)
      complain(names[object], "held in the end by", stat.holder_pid, 0);
    result = ipckit_sync_verify(sync);
    if (result != 0) complain(names[object], ipckit_strerror(result), result, 0);
  }
  const long first = (long)atomic_load(&s->passed[0]), second = (long)atomic_load(&s->passed[1]);
  if (labs(first - second) > (long)kills) complain("barrier", "passed alone", first, second);
}

int main(int argc, char** argv) {
  long seconds = 60;
  struct timespec clock;
  clock_gettime(CLOCK_REALTIME, &clock);
  seed = (uint64_t)clock.tv_nsec * 2654435761U + (uint64_t)getpid();
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--seconds") == 0)
      seconds = atol(argv[i + 1]);
    else if (strcmp(argv[i], "--processes") == 0)
      processes = atoi(argv[i + 1]);
    else if (strcmp(argv[i], "--seed") == 0)
      seed = strtoull(argv[i + 1], NULL, 0);
    else
      argc = 0;
  }
  if (argc % 2 == 0 || seconds <= 0 || processes < PARTIES || processes > MOST) {
    fprintf(stderr, "usage: sync_storm [--seconds N] [--processes 2 to %d] [--seed S]\n", MOST);
    return 2;
  }
  if (seed == 0) seed = 1;
  printf("seed %llu\n", (unsigned long long)seed);
  fflush(stdout);
  snprintf(name, sizeof name, "/ipckit-storm-%d", (int)getpid());
  s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (s == MAP_FAILED) return perror("mmap"), 2;
  ipckit_sync_t* mine[OBJECTS];
  for (int object = 0; object < OBJECTS; object++) {
    mine[object] = open_object(object, true);
    if (mine[object] == NULL) return 2;
  }
  for (int i = 0; i < processes; i++) launch(i);
  const int64_t started = now(), end = started + seconds * SECOND;
  for (int64_t last = started; last < end && atomic_load(&s->violations) < 50;) {
    usleep((useconds_t)(next_random() % 4000));
    strike();
    const int64_t here = now();
    if (here - last > NOISE) atomic_store(&s->noise, here);
    last = here;
  }
  atomic_store(&s->over, 1);
  alarm(30);
  for (int i = 0; i < processes; i++) reap(i);
  judge_end(mine);
  char path[96];
  for (int object = 0; object < OBJECTS; object++) {
    ipckit_sync_close(mine[object]);
    snprintf(path, sizeof path, "%s-%s", name, names[object]);
    ipckit_sync_unlink(path, NULL);
  }
  printf(
      "%lu kills, %lu stops, %lu operations in %ld s: %lu sections cut short, %lu told of a death (%lu "
      "without a name), %lu rounds broken, %lu passed, %lu timeouts, %lu found a guard held; slowest "
      "survivor "
      "%.0f ms, %lu violations\n",
      kills, stops, s->operations, seconds, s->interrupted, s->told, s->unknown, s->broken,
      s->passed[0] + s->passed[1], s->timeouts, s->held, (double)s->slowest / MILLISECOND, s->violations);
  // A storm in which nothing was cut short has shown nothing.
  if (s->interrupted == 0) printf("no section was cut short\n");
  return s->violations != 0 || s->interrupted == 0;
}
