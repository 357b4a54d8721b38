// Kills a process at every instruction of every operation on a lock, semaphore, condition, event or barrier,
// and looks at what the others find.
//
//   every_instruction_sync [--full | --seconds N] [--recovery] [--seed S] [--scene NAME]
//                          [--at K | --state K] [--second J]
//
// In each scene (sync_scene.c) somebody sleeps, or holds, or has died, and a victim does one thing under
// ptrace, one instruction at a time. It is killed with SIGKILL, and then everyone must go on: see
// sync_auditor.c.
//
//   (default)    one kill in each state that others can tell apart: before the first instruction, after each
//                that changes the file, after each system call, and at the end. All instructions in between
//                leave the same bytes, so each instruction is covered, and this takes a minute
//   --full       one kill at each instruction: hours
//   --seconds N  kills at random instructions of all scenes, for that long
//   --recovery   another process recovers from the death, and dies in turn at each state of its recovery;
//                with --seconds at a random one
//
// In one run of sixteen nobody sweeps, and whoever sleeps must find out by himself. Prints counts and the
// seed; a violation is a line that can be run again, and exit code 1.
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sync_auditor.h"

static unsigned long runs;

// Where a victim dies: after so many instructions, or in which of the states that can be told apart.
typedef struct place {
  bool by_state;
  long at;
} place;

#define LATEST ((place){true, LONG_MAX})

typedef struct watch {
  const tracee* victim;
  long wanted, states;
  bool first, called;
  int returned;
  size_t size;
  uint8_t last[8192];
} watch;

static bool look(void* context, long step) {
  watch* w = context;
  (void)step;
  const void* now = survivor->map.start;
  const bool changed =
      w->called || w->returned != w->victim->at->returned || memcmp(w->last, now, w->size) != 0;
  if (!w->first && changed) w->states++;
  if (w->first || changed) memcpy(w->last, now, w->size);
  w->first = false;
  w->returned = w->victim->at->returned;
  w->called = w->returned == 0 && is_at_system_call(w->victim);
  return w->states < w->wanted;
}

// Returns how many states, or instructions, there were, and adds the instructions to `steps`.
static long drive(tracee* victim, place where, long* steps) {
  if (!where.by_state) return step(victim, where.at, NULL, NULL);
  watch w = {.victim = victim, .wanted = where.at, .first = true, .size = survivor->map.bytes};
  if (w.size > sizeof w.last) give_up("the file is larger than expected");
  const long done = step(victim, LONG_MAX, look, &w);
  if (steps) *steps = done;
  return w.states;
}

// One death, and with `second` that of who recovers. Returns the count of the last one.
static long run(const scene* sc, place first, const place* second, bool sweeps_first, long* steps) {
  snprintf(description, sizeof description, "--scene %s --%s %ld --second %ld", sc->name,
           first.by_state ? "state" : "at", first.at, second ? second->at : -1);
  alarm(60);
  set_up(sc);
  tracee other = {0};
  if (second) other = start_sweeper(sc);
  tracee v = start_victim(sc);
  // Nobody else shall recover meanwhile, nor an heir take his notice before he dies.
  if (second || sc->heir_dies) signal_sleepers(SIGSTOP);
  long count = drive(&v, first, steps);
  const facts f = look_before_death(sc, &v);
  put_to_death(&v);
  if (second) {
    count = drive(&other, *second, steps);
    put_to_death(&other);
  }
  if (sc->heir_dies) kill_sleeper(&on_stage->sleepers[0]);
  if (second || sc->heir_dies) signal_sleepers(SIGCONT);
  begin_audit();
  audit(sc, &f, sweeps_first);
  take_down();
  runs++;
  return count;
}

static bool sweeps(void) { return next_random() % 16 != 0; }

static void run_scene(const scene* sc, bool full, bool recovery) {
  const unsigned long before = violations, runs_before = runs;
  long steps = 0;
  const long states = run(sc, LATEST, NULL, sweeps(), &steps), last = full ? steps : states;
  for (long k = 0; k <= last; k++) {
    const place first = {!full, k};
    run(sc, first, NULL, sweeps(), NULL);
    if (!recovery) continue;
    const long recovered = run(sc, first, &LATEST, true, NULL);
    for (long j = 0; j <= recovered; j++) run(sc, first, &(place){true, j}, sweeps(), NULL);
  }
  printf("%-31s %5ld instructions, %3ld states, %5lu kills, %lu violations\n", sc->name, steps, states + 1,
         runs - runs_before, violations - before);
  fflush(stdout);
}

// All scenes in turn, each at a random instruction, until the time is over.
static void run_sampled(const char* scene_name, bool recovery, long seconds) {
  static long lengths[128], recoveries[128];
  const int64_t end = ring_now() + seconds * RING_SECOND;
  while (ring_now() < end) {
    for (int i = 0; i < scene_count && ring_now() < end; i++) {
      const scene* sc = &scenes[i];
      if (scene_name && strcmp(sc->name, scene_name) != 0) continue;
      if (lengths[i] == 0) run(sc, LATEST, NULL, sweeps(), &lengths[i]);
      const place first = {false, (long)(next_random() % (uint64_t)(lengths[i] + 1))};
      if (!recovery) {
        run(sc, first, NULL, sweeps(), NULL);
        continue;
      }
      if (recoveries[i] == 0) recoveries[i] = run(sc, first, &LATEST, true, NULL);
      const place second = {true, (long)(next_random() % (uint64_t)(recoveries[i] + 1))};
      run(sc, first, &second, sweeps(), NULL);
    }
  }
}

int main(int argc, char** argv) {
  bool full = false, recovery = false;
  const char* wanted = NULL;
  long seconds = 0, second = -1;
  place at = {false, -1};
  choose_seed();
  for (int i = 1; i < argc; i++) {
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--full") == 0)
      full = true;
    else if (strcmp(argv[i], "--recovery") == 0)
      recovery = true;
    else if (strcmp(argv[i], "--seconds") == 0)
      seconds = atol(value), i++;
    else if (strcmp(argv[i], "--seed") == 0)
      seed = strtoull(value, NULL, 0), i++;
    else if (strcmp(argv[i], "--scene") == 0)
      wanted = value, i++;
    else if (strcmp(argv[i], "--at") == 0)
      at = (place){false, atol(value)}, i++;
    else if (strcmp(argv[i], "--state") == 0)
      at = (place){true, atol(value)}, i++;
    else if (strcmp(argv[i], "--second") == 0)
      second = atol(value), i++;
    else
      return fprintf(stderr, "every_instruction_sync: unknown option %s\n", argv[i]), 2;
  }
  announce_seed();
  snprintf(name, sizeof name, "/ipckit-killed-%d", (int)getpid());
  on_stage = mmap(NULL, sizeof *on_stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (on_stage == MAP_FAILED) give_up("mmap");
  prepare_to_trace();
  const int64_t started = ring_now();
  if (seconds > 0) run_sampled(wanted, recovery, seconds);
  for (int i = 0; seconds == 0 && i < scene_count; i++) {
    if (wanted && strcmp(scenes[i].name, wanted) != 0) continue;
    if (at.at >= 0)
      run(&scenes[i], at, second >= 0 ? &(place){true, second} : NULL, sweeps(), NULL);
    else
      run_scene(&scenes[i], full, recovery);
  }
  if (runs == 0) return fprintf(stderr, "every_instruction_sync: no scene %s\n", wanted), 2;
  const double took = (double)(ring_now() - started) / RING_SECOND;
  printf(
      "%lu runs in %.0f s (%.0f/s): %lu told of a death, %lu notices passed on; slowest survivor %.1f ms, "
      "%lu "
      "above 250 ms; %lu violations\n",
      runs, took, (double)runs / took, tells, passed_on, (double)slowest / RING_MILLISECOND, above_250,
      violations);
  return violations != 0;
}
