// How fast locks and friends in shared memory are from C.
//
//   sync_bench [--seconds N] [CASE...]
//
// One line a case: the median of five rounds, with the least and the most. The cases `alone-*` are one
// process that acquires and releases; `handover` and `futex` are two processes that pass a lock, or a bare
// futex word, to and fro, sleeping; `contenders-N` are N processes at one lock, each with 0.5 us of work
// inside.
#include <errno.h>
#include <ipckit/sync.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5 };

static double seconds = 0.3;
static char name[64];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(int result, const char* what) {
  if (result >= 0) return;
  fprintf(stderr, "sync_bench: %s: %s\n", what, ipckit_strerror(result));
  exit(1);
}

static ipckit_sync_t* make(const char* of, uint32_t kind, uint32_t value) {
  ipckit_sync_options_t options = {.kind = kind, .value = value, .bytes = kind == IPCKIT_KIND_VALUE ? 8 : 0};
  ipckit_sync_t* sync;
  ipckit_sync_unlink(of, NULL);
  must(ipckit_sync_create(of, &options, NULL, &sync), "create");
  return sync;
}

static ipckit_sync_t* open_it(const char* of) {
  ipckit_sync_t* sync;
  must(ipckit_sync_open(of, NULL, NULL, &sync), "open");
  return sync;
}

static void acquire(ipckit_sync_t* sync, uint32_t operation) {
  ipckit_wait_t wait;
  memset(&wait, 0, sizeof wait);
  wait.operation = operation;
  must(ipckit_sync_wait(sync, &wait, IPCKIT_FOREVER), "wait");
}

static void release(ipckit_sync_t* sync) { must(ipckit_sync_release(sync, 0, 1), "release"); }

// Nanoseconds of one turn, by one process.
static double alone(uint32_t kind, bool shared) {
  ipckit_sync_t* sync = make(name, kind, 1);
  long turns = 0;
  const double start = now();
  double took;
  do {
    for (int i = 0; i < 10000; i++) {
      if (kind == IPCKIT_KIND_EVENT) {
        ipckit_event_set(sync);
        ipckit_event_clear(sync);
      } else {
        acquire(sync, shared ? IPCKIT_ACQUIRE_SHARED : IPCKIT_ACQUIRE);
        if (shared)
          ipckit_sync_release_shared(sync);
        else
          release(sync);
      }
    }
    turns += 10000;
    took = now() - start;
  } while (took < seconds);
  ipckit_sync_close(sync);
  return took / (double)turns * 1e9;
}

// What the processes of a case share.
typedef struct shared {
  uint32_t ready, go, over;
  uint32_t turn;  // futex: whose turn it is, 0 or 1
  uint64_t turns[64];
} shared;
static shared* s;

static void begin(void) {
  __atomic_fetch_add(&s->ready, 1, __ATOMIC_SEQ_CST);
  while (!__atomic_load_n(&s->go, __ATOMIC_SEQ_CST)) sched_yield();
}
static bool is_over(void) { return __atomic_load_n(&s->over, __ATOMIC_SEQ_CST) != 0; }

// Two processes, each of which can go on only when the other has: all turns in a second, in both.
static void futex_side(uint32_t me) {
  while (!is_over()) {
    while (__atomic_load_n(&s->turn, __ATOMIC_SEQ_CST) != me) {
      const struct timespec bound = {0, 100000000};
      syscall(SYS_futex, &s->turn, FUTEX_WAIT, 1 - me, &bound, NULL, 0);
      if (is_over()) return;
    }
    s->turns[me]++;
    __atomic_store_n(&s->turn, 1 - me, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &s->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
  }
}

// The same with a semaphore for each side.
static void semaphore_side(uint32_t me, const char* mine, const char* others) {
  ipckit_sync_t *in = open_it(mine), *out = open_it(others);
  while (!is_over()) {
    ipckit_wait_t wait = {.operation = IPCKIT_ACQUIRE};
    if (ipckit_sync_wait(in, &wait, 100000000) != 0) continue;
    s->turns[me]++;
    release(out);
  }
}

static void contender(uint32_t me) {
  ipckit_sync_t* lock = open_it(name);
  begin();
  while (!is_over()) {
    acquire(lock, IPCKIT_ACQUIRE);
    for (volatile int i = 0; i < 500; i++) {
    }
    s->turns[me]++;
    release(lock);
  }
}

enum way { BY_FUTEX, BY_SEMAPHORES, BY_CONTENDERS };

// All turns of `count` processes in a second.
static double together(enum way way, uint32_t count) {
  char back[80];
  snprintf(back, sizeof back, "%s-back", name);
  memset(s, 0, sizeof *s);
  ipckit_sync_t *first = NULL, *second = NULL;
  if (way == BY_SEMAPHORES) {
    first = make(name, IPCKIT_KIND_SEMAPHORE, 1);
    second = make(back, IPCKIT_KIND_SEMAPHORE, 0);
  } else if (way != BY_FUTEX) {
    first = make(name, IPCKIT_KIND_LOCK, 0);
  }
  fflush(stdout);
  for (uint32_t i = 0; i < count; i++) {
    if (fork() != 0) continue;
    if (way == BY_CONTENDERS) {
      contender(i);
      _exit(0);
    }
    begin();
    if (way == BY_FUTEX) futex_side(i);
    if (way == BY_SEMAPHORES) semaphore_side(i, i ? back : name, i ? name : back);
    _exit(0);
  }
  while (__atomic_load_n(&s->ready, __ATOMIC_SEQ_CST) < count) sched_yield();
  const double start = now();
  __atomic_store_n(&s->go, 1, __ATOMIC_SEQ_CST);
  usleep((useconds_t)(seconds * 1e6));
  const double took = now() - start;
  uint64_t all = 0;
  for (uint32_t i = 0; i < count; i++) all += __atomic_load_n(&s->turns[i], __ATOMIC_RELAXED);
  __atomic_store_n(&s->over, 1, __ATOMIC_SEQ_CST);
  while (wait(NULL) > 0) {
  }
  if (first) ipckit_sync_close(first);
  if (second) ipckit_sync_close(second);
  ipckit_sync_unlink(back, NULL);
  return (double)all / took;
}

static int ascending(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

typedef struct test_case {
  const char* title;
  uint32_t kind;   // alone
  bool shared;     // alone
  enum way way;    // together
  uint32_t count;  // together: of processes; 0: alone
} test_case;

static const test_case cases[] = {
    {"alone-lock", IPCKIT_KIND_LOCK, false, 0, 0},
    {"alone-rlock", IPCKIT_KIND_RLOCK, false, 0, 0},
    {"alone-semaphore", IPCKIT_KIND_SEMAPHORE, false, 0, 0},
    {"alone-rwlock", IPCKIT_KIND_RWLOCK, false, 0, 0},
    {"alone-rwlock-shared", IPCKIT_KIND_RWLOCK, true, 0, 0},
    {"alone-event", IPCKIT_KIND_EVENT, false, 0, 0},
    {"futex", 0, false, BY_FUTEX, 2},
    {"handover", 0, false, BY_SEMAPHORES, 2},
    {"contenders-1", 0, false, BY_CONTENDERS, 1},
    {"contenders-2", 0, false, BY_CONTENDERS, 2},
    {"contenders-4", 0, false, BY_CONTENDERS, 4},
    {"contenders-16", 0, false, BY_CONTENDERS, 16},
};

static void run(const test_case* c) {
  double figures[ROUNDS];
  for (int round = 0; round < ROUNDS; round++) {
    figures[round] = c->count == 0 ? alone(c->kind, c->shared) : together(c->way, c->count);
  }
  qsort(figures, ROUNDS, sizeof *figures, ascending);
  const double unit = c->count == 0 ? 1 : 1e3;
  printf("%-22s %9.1f %s [%.1f to %.1f]\n", c->title, figures[ROUNDS / 2] / unit,
         c->count == 0 ? "ns" : "k/s", figures[0] / unit, figures[ROUNDS - 1] / unit);
}

int main(int argc, char** argv) {
  int wanted = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
      seconds = atof(argv[++i]);
    else if (argv[i][0] == '-')
      return fprintf(stderr, "usage: sync_bench [--seconds N] [CASE...]\n"), 2;
    else
      argv[1 + wanted++] = argv[i];
  }
  snprintf(name, sizeof name, "/ipckit-bench-sync-%d", (int)getpid());
  s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (s == MAP_FAILED) return 1;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool chosen = wanted == 0;
    for (int k = 1; k <= wanted; k++) chosen = chosen || strcmp(argv[k], cases[i].title) == 0;
    if (chosen) run(&cases[i]);
  }
  ipckit_sync_unlink(name, NULL);
  return 0;
}
