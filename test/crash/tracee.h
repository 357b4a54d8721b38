// A child that does one thing, an instruction at a time, under ptrace(2); and what every program shares that
// kills such children and looks at what is left: a seed, and complaints that say how to repeat them.
#ifndef IPCKIT_CRASH_TRACEE_H
#define IPCKIT_CRASH_TRACEE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

extern uint64_t seed;
extern char description[200];  // of the run, as the options that repeat it
extern unsigned long violations;

// By the clock, unless an option sets it before it is announced.
void choose_seed(void);
void announce_seed(void);
uint64_t next_random(void);
void complain(const char* what, long a, long b);
_Noreturn void give_up(const char* what);

// How far the child came, in memory that it shares with us.
typedef struct progress {
  volatile int began;
  volatile int returned;
} progress;

typedef struct tracee {
  pid_t pid;
  progress* at;
} tracee;

// Once, before the first: on one processor, where a step costs two switches and no interrupt of another
// processor; and a run that hangs is a violation, when alarm(2) rings.
void prepare_to_trace(void);
// Forks a child that calls `prepare`, and returns when it stands before `run`.
tracee start_tracee(progress* at, void (*prepare)(void*), void (*run)(void*), void* context);
// Runs it for at most `steps` instructions of `run`, and returns how many there were. `look` is called before
// each of them and after the last; it ends them with false.
long step(tracee* t, long steps, bool (*look)(void*, long), void* context);
// Whether its next instruction is a system call; only known on x86-64.
bool is_at_system_call(const tracee* t);
// Lets it go on to the end of `run`.
void finish(tracee* t);
void put_to_death(tracee* t);

#endif
