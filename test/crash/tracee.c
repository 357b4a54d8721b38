// See tracee.h.
#include "tracee.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t seed;
char description[200];
unsigned long violations;

void choose_seed(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  seed = (uint64_t)now.tv_nsec * 2654435761U + (uint64_t)getpid();
}

void announce_seed(void) {
  if (seed == 0) seed = 1;
  printf("seed %llu\n", (unsigned long long)seed);
}

uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

void complain(const char* what, long a, long b) {
  violations++;
  printf("VIOLATION %s: %s (%ld, %ld)\n", description, what, a, b);
  fflush(stdout);
}

void give_up(const char* what) {
  printf("%s: %s: %s: %s\n", program_invocation_short_name, description, what, strerror(errno));
  exit(2);
}

static void too_slow(int signal) {
  (void)signal;
  static const char text[] = "VIOLATION I9: hangs at ";
  (void)!write(1, text, sizeof text - 1);
  (void)!write(1, description, strlen(description));
  (void)!write(1, "\n", 1);
  _exit(1);
}

void prepare_to_trace(void) {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(sched_getcpu(), &here);
  sched_setaffinity(0, sizeof here, &here);
  signal(SIGALRM, too_slow);
}

tracee start_tracee(progress* at, void (*prepare)(void*), void (*run)(void*), void* context) {
  tracee t = {fork(), at};
  if (t.pid < 0) give_up("fork");
  if (t.pid == 0) {
    prepare(context);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    at->began = 1;
    run(context);
    at->returned = 1;
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  if (waitpid(t.pid, &status, 0) != t.pid || !WIFSTOPPED(status)) give_up("the victim did not begin");
  return t;
}

long step(tracee* t, long steps, bool (*look)(void*, long), void* context) {
  long done = 0;
  while (done < steps && !t->at->returned) {
    if (look && !look(context, done)) return done;
    if (ptrace(PTRACE_SINGLESTEP, t->pid, NULL, NULL) < 0) give_up("ptrace");
    int status;
    if (waitpid(t->pid, &status, 0) != t->pid) give_up("waitpid");
    if (!WIFSTOPPED(status)) {
      complain("the victim ended by itself, status", status, 0);
      return done;
    }
    if (WSTOPSIG(status) != SIGTRAP) {
      complain("the victim got a signal", WSTOPSIG(status), 0);
      break;
    }
    if (t->at->began) done++;
  }
  if (look) look(context, done);
  return done;
}

bool is_at_system_call(const tracee* t) {
#if defined(__x86_64__)
  errno = 0;
  const long at = ptrace(PTRACE_PEEKUSER, t->pid, (void*)offsetof(struct user_regs_struct, rip), NULL);
  const long code = ptrace(PTRACE_PEEKTEXT, t->pid, (void*)at, NULL);
  return errno == 0 && (code & 0xffff) == 0x050f;
#else
  (void)t;
  return false;
#endif
}

void finish(tracee* t) {
  if (t->at->returned) return;
  int status;
  if (ptrace(PTRACE_CONT, t->pid, NULL, NULL) < 0) give_up("ptrace");
  if (waitpid(t->pid, &status, 0) != t->pid) give_up("waitpid");
  if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP || !t->at->returned)
    complain("the victim did not come to the end of its operation, status", status, 0);
}

void put_to_death(tracee* t) {
  kill(t->pid, SIGKILL);
  while (waitpid(t->pid, NULL, 0) < 0 && errno == EINTR) {
  }
}
