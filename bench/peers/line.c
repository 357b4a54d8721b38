// How long a line of cache takes from one CPU to another: two processes answer each other through one word
// and never sleep. Prints the nanoseconds of one way. On machines whose CPUs are shared with others it
// changes by the second.
#define _GNU_SOURCE
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

enum { rounds = 200, trips = 500 };

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
    for (uint32_t trip = 0; trip < rounds * trips; trip++) step(2 * trip + 1);
    return 0;
  }
  // The median of many rounds: in some of them another program has one of the CPUs.
  static int64_t times[rounds];
  for (uint32_t round = 0, trip = 0; round < rounds; round++) {
    const int64_t start = now();
    for (uint32_t last = trip + trips; trip < last; trip++) step(2 * trip);
    times[round] = now() - start;
  }
  waitpid(peer, NULL, 0);
  sort_times(times, rounds);
  printf("%.0f\n", (double)times[rounds / 2] / (2.0 * trips));
  return 0;
}
