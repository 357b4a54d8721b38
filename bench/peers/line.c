// How long a line of cache takes from one CPU to another: two processes answer each other through one word
// and never sleep. Prints the nanoseconds of one way. On machines whose CPUs are shared with others it
// changes by the second.
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { trips = 100000 };

static uint32_t* word;

// Of the CPUs that we may use, the first or the last.
static int pin(int last) {
  cpu_set_t allowed, one;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return -1;
  int cpu = last ? CPU_SETSIZE - 1 : 0;
  while (!CPU_ISSET(cpu, &allowed)) cpu += last ? -1 : 1;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  return sched_setaffinity(0, sizeof one, &one);
}

static void step(uint32_t from) {
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != from) {
  }
  __atomic_store_n(word, from + 1, __ATOMIC_RELEASE);
}

int main(void) {
  word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const pid_t peer = word == MAP_FAILED ? -1 : fork();
  if (peer < 0 || pin(peer == 0) != 0) return 1;
  if (peer == 0) {
    for (uint32_t trip = 0; trip < trips; trip++) step(2 * trip + 1);
    return 0;
  }
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (uint32_t trip = 0; trip < trips; trip++) step(2 * trip);
  waitpid(peer, NULL, 0);
  clock_gettime(CLOCK_MONOTONIC, &end);
  const double took = (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
  printf("%.0f\n", took / (2.0 * trips));
  return 0;
}
