// Kills a process at every instruction of every operation, and looks at what the others find.
//
//   every_instruction [--snapshots | --full | --seconds N] [--recovery | --pause] [--seed S] [--operation
//   NAME]
//                     [--state NAME] [--at K [--second J]]
//
// For each operation and state of the queue a victim runs under ptrace, one instruction at a time. Then a
// survivor works on, and an auditor compares what it finds with what the victim said in a ledger outside of
// the queue.
//
//   --seconds N   kills with SIGKILL at random instructions of all pairs, for that long (the default: 60)
//   --full        kills with SIGKILL at every instruction: quadratic, hours for the long operations
//   --snapshots   after every instruction copies the file, if it changed, and audits the copy. A copy is what
//                 SIGKILL leaves: the same bytes, and no lock of anybody. So each instruction is visited once
//   --recovery    kills the recovery too: a second process recovers from the first one's death and dies in
//                 turn
//   --pause       does not kill: the victim stops before the instruction, a peer does 1, 2 or 10 operations,
//                 and the victim goes on. Of the calls that a lock of the victim's holds up only one in 64 is
//                 made, since each takes 0.6 s
//
// Prints counts and the seed; a violation is a line that can be run again with --at, and exit code 1.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auditor.h"
#include "paused.h"
#include "victim.h"

static unsigned long runs;

// Runs.
// One victim, and with `second` >= 0 another one that recovers. Returns the instructions of the last one.
static long run(const operation* op, enum state state, long first, long second) {
  snprintf(description, sizeof description, "--operation %s --state %s --at %ld --second %ld", op->name,
           state_names[state], first, second);
  alarm(20);
  int messages = arrange(state);
  victim other = {0};
  if (second >= 0) other = start(recovering, 1);
  victim v = start_in(state, op);
  long steps = step(&v.traced, first, NULL, NULL);
  put_to_death(&v.traced);
  if (second >= 0) {
    steps = step(&other.traced, second, NULL, NULL);
    put_to_death(&other.traced);
  }
  audit_death(op, state, v.says, messages);
  ipckit_queue_close(survivor);
  ipckit_queue_unlink(name, NULL);
  runs++;
  return steps;
}

// Snapshots.
// The bytes of a queue file, mapped without taking part.
typedef struct image {
  uint8_t* bytes;
  size_t size;
} image;

static image look_at(const char* queue) {
  char path[128];
  snprintf(path, sizeof path, "/dev/shm/ipckit.%s", queue + 1);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat file;
  if (fd < 0 || fstat(fd, &file) < 0) give_up("look_at");
  image i = {.size = (size_t)file.st_size};
  i.bytes = mmap(NULL, i.size, PROT_READ, MAP_SHARED, fd, 0);
  if (i.bytes == MAP_FAILED) give_up("look_at");
  close(fd);
  return i;
}

static void write_copy(const char* queue, const uint8_t* bytes, size_t size) {
  char path[128];
  snprintf(path, sizeof path, "/dev/shm/ipckit.%s", queue + 1);
  unlink(path);
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) give_up("write_copy");
  close(fd);
}

// What is looked at while a victim is stepped.
typedef struct watch {
  const operation* op;
  enum state state;
  int messages;
  const ledger* says;  // of the one who did the operation
  image now;
  uint8_t* last;
  int last_returned;
  bool recovery;  // each state is recovered from by another victim, which is watched in turn
  unsigned long states;
  long first;  // instruction of the operation, while its recovery is watched
} watch;

static void audit_copy(const watch* w) {
  char copy[80];
  snprintf(copy, sizeof copy, "%s-copy", name);
  write_copy(copy, w->last, w->now.size);
  ipckit_queue_t* attached = survivor;
  int64_t started = ring_now();
  int opened = ipckit_queue_open(copy, NULL, NULL, &survivor);
  timed(started);
  if (opened != 0) {
    complain(ipckit_strerror(opened), opened, 0);
  } else {
    audit_death(w->op, w->state, w->says, w->messages);
    ipckit_queue_close(survivor);
  }
  ipckit_queue_unlink(copy, NULL);
  survivor = attached;
  runs++;
}

static void watch_recovery(watch* w);

static bool look(void* context, long step) {
  watch* w = context;
  bool changed = memcmp(w->last, w->now.bytes, w->now.size) != 0;
  if (w->states != 0 && !changed && w->says->at.returned == w->last_returned) return true;
  memcpy(w->last, w->now.bytes, w->now.size);
  w->last_returned = w->says->at.returned;
  w->states++;
  alarm(60);
  snprintf(description, sizeof description, "--operation %s --state %s --at %ld --second %ld", w->op->name,
           state_names[w->state], w->first >= 0 ? w->first : step, w->first >= 0 ? step : -1);
  if (!w->recovery) {
    audit_copy(w);
    return true;
  }
  w->first = step;
  watch_recovery(w);
  w->first = -1;
  return true;
}

// A process attaches to a copy, which recovers, and each state on the way is audited.
static void watch_recovery(watch* w) {
  char original[sizeof name];
  memcpy(original, name, sizeof name);
  snprintf(name, sizeof name, "%.40s-first", original);
  write_copy(name, w->last, w->now.size);
  watch second = *w;
  second.recovery = false;
  second.states = 0;
  second.now = look_at(name);
  second.last = malloc(second.now.size);
  if (!second.last) give_up("malloc");
  memcpy(second.last, w->last, w->now.size);
  victim v = start(attaching, 1);
  step(&v.traced, LONG_MAX, look, &second);
  put_to_death(&v.traced);
  ipckit_queue_unlink(name, NULL);
  munmap(second.now.bytes, second.now.size);
  free(second.last);
  memcpy(name, original, sizeof name);
}

static void run_snapshots(const operation* op, enum state state, bool recovery) {
  unsigned long before = violations, audited = runs;
  alarm(60);
  snprintf(description, sizeof description, "--operation %s --state %s", op->name, state_names[state]);
  watch w = {.op = op, .state = state, .recovery = recovery, .first = -1};
  w.messages = arrange(state);
  victim v = start_in(state, op);
  w.says = v.says;
  w.now = look_at(name);
  w.last = malloc(w.now.size);
  if (!w.last) give_up("malloc");
  long steps = step(&v.traced, LONG_MAX, look, &w);
  put_to_death(&v.traced);
  munmap(w.now.bytes, w.now.size);
  free(w.last);
  ipckit_queue_close(survivor);
  ipckit_queue_unlink(name, NULL);
  printf("%-11s %-11s %5ld instructions, %4lu states, %7lu audits, %lu violations\n", op->name,
         state_names[state], steps, w.states, runs - audited, violations - before);
  fflush(stdout);
}

typedef struct request {
  bool full, snapshots, recovery, pause;
  long seconds, at, second;
  const char *operation, *state;
} request;

static bool wanted(const request* r, size_t op, int state) {
  return (!r->operation || strcmp(r->operation, operations[op].name) == 0) &&
         (!r->state || strcmp(r->state, state_names[state]) == 0);
}

static long pause_at(const operation* op, enum state state, long at) {
  static const int calls[] = {1, 2, 10};
  const int count = calls[next_random() % 3];
  snprintf(description, sizeof description, "--pause --operation %s --state %s --at %ld (%d calls)", op->name,
           state_names[state], at, count);
  alarm(60);
  runs++;
  return run_paused(op, state, at, count, 64);
}

// One run at that instruction; whatever else there is to choose is random.
static long run_at(const request* r, const operation* op, enum state state, long at) {
  if (r->pause) return pause_at(op, state, at);
  return run(op, state, at, r->recovery ? (long)(next_random() % 4000) : -1);
}

static void run_all(const request* r) {
  for (size_t op = 0; op < OPERATIONS; op++) {
    for (int state = 0; state < STATES; state++) {
      if (!wanted(r, op, state)) continue;
      unsigned long before = violations;
      long steps = run(&operations[op], (enum state)state, LONG_MAX, -1);
      long pairs = 0;
      for (long k = 0; k <= steps; k++) {
        if (!r->recovery) {
          run_at(r, &operations[op], (enum state)state, k);
          continue;
        }
        if (k % 7 != (long)(seed % 7)) continue;
        long recovery = run(&operations[op], (enum state)state, k, LONG_MAX);
        for (long j = (long)(next_random() % 23); j <= recovery; j += 23, pairs++) {
          run(&operations[op], (enum state)state, k, j);
        }
      }
      printf("%-11s %-11s %5ld instructions, %6ld pairs, %lu violations\n", operations[op].name,
             state_names[state], steps, pairs, violations - before);
      fflush(stdout);
    }
  }
}

// Every pair of operation and state in turn, each at a random instruction, until the time is over.
static void run_sampled(const request* r) {
  static long lengths[OPERATIONS][STATES];
  const int64_t end = ring_now() + r->seconds * RING_SECOND;
  for (unsigned long round = 0; ring_now() < end; round++) {
    for (size_t op = 0; op < OPERATIONS; op++) {
      for (int state = 0; state < STATES && ring_now() < end; state++) {
        if (!wanted(r, op, state)) continue;
        long* length = &lengths[op][state];
        if (*length == 0) *length = run(&operations[op], (enum state)state, LONG_MAX, -1);
        run_at(r, &operations[op], (enum state)state, (long)(next_random() % (uint64_t)(*length + 1)));
      }
    }
  }
}

int main(int argc, char** argv) {
  request r = {.at = -1, .second = -1, .seconds = 60};
  choose_seed();
  for (int i = 1; i < argc; i++) {
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--full") == 0)
      r.full = true;
    else if (strcmp(argv[i], "--snapshots") == 0)
      r.snapshots = true;
    else if (strcmp(argv[i], "--recovery") == 0)
      r.recovery = true;
    else if (strcmp(argv[i], "--pause") == 0)
      r.pause = true;
    else if (strcmp(argv[i], "--seconds") == 0)
      r.seconds = atol(value), i++;
    else if (strcmp(argv[i], "--seed") == 0)
      seed = strtoull(value, NULL, 0), i++;
    else if (strcmp(argv[i], "--operation") == 0)
      r.operation = value, i++;
    else if (strcmp(argv[i], "--state") == 0)
      r.state = value, i++;
    else if (strcmp(argv[i], "--at") == 0)
      r.at = atol(value), i++;
    else if (strcmp(argv[i], "--second") == 0)
      r.second = atol(value), i++;
    else
      return fprintf(stderr, "every_instruction: unknown option %s\n", argv[i]), 2;
  }
  announce_seed();
  snprintf(name, sizeof name, "/ipckit-killed-%d", (int)getpid());
  ledgers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  write_bodies();
  prepare_to_trace();
  const int64_t started = ring_now();
  if (r.at >= 0) {
    for (size_t op = 0; op < OPERATIONS; op++) {
      for (int state = 0; state < STATES; state++) {
        if (!wanted(&r, op, state)) continue;
        if (r.pause)
          pause_at(&operations[op], (enum state)state, r.at);
        else
          run(&operations[op], (enum state)state, r.at, r.second);
      }
    }
  } else if (r.snapshots) {
    for (size_t op = 0; op < OPERATIONS; op++) {
      for (int state = 0; state < STATES; state++) {
        if (wanted(&r, op, state)) run_snapshots(&operations[op], (enum state)state, r.recovery);
      }
    }
  } else if (r.full) {
    run_all(&r);
  } else {
    run_sampled(&r);
  }
  double took = (double)(ring_now() - started) / RING_SECOND;
  printf("%lu %s in %.0f s (%.0f/s), slowest call of a survivor %.1f ms, %lu violations\n", runs,
         r.snapshots ? "states audited"
         : r.pause   ? "pauses"
                     : "kills",
         took, (double)runs / took, (double)slowest / RING_MILLISECOND, violations);
  if (r.pause) {
    printf(
        "%lu calls of the peer told that a lock is held, %lu more spared, %lu operations of victims told "
        "so\n",
        paused.held, paused.spared, paused.late);
  }
  return violations != 0;
}
