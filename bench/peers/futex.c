// One end of a round trip through two words of shared memory, with nothing but futex(2): what waking and
// being woken costs. A rested ping is one after 3 ms of sleep.
//
//   futex ping|rested-ping|pong PATH
//
// Each line on the standard input is a number of round trips, and starts a round; the answers are described
// in node.mjs.
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// A line each, as in the queue.
struct words {
  uint32_t there;
  char gap[124];
  uint32_t back;
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void tell(uint32_t* word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
  syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void await(uint32_t* word, uint32_t value) {
  for (;;) {
    const uint32_t seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    if (seen == value) return;
    syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
  }
}

static void answer_with(int64_t first, int64_t second) {
  printf("%" PRId64 " %" PRId64 "\n", first, second);
  fflush(stdout);
}

static int by_size(const void* left, const void* right) {
  const int64_t difference = *(const int64_t*)left - *(const int64_t*)right;
  return difference < 0 ? -1 : difference > 0;
}

int main(int count, char** values) {
  const int file = count == 3 ? open(values[2], O_RDWR) : -1;
  if (file < 0) return 2;
  struct words* words = mmap(NULL, sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (words == MAP_FAILED) return 1;
  const bool rests = strcmp(values[1], "rested-ping") == 0;
  const bool pings = rests || strcmp(values[1], "ping") == 0;
  const struct timespec rest = {0, 3000000};
  uint32_t number = 0;
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const uint32_t trips = (uint32_t)strtoul(line, NULL, 10);
    int64_t* times = calloc(trips, sizeof *times);
    if (times == NULL) return 1;
    if (!pings) puts("ready"), fflush(stdout);
    for (uint32_t at = 0; at < trips; at++) {
      number++;
      if (pings) {
        if (rests) nanosleep(&rest, NULL);
        const int64_t start = now();
        tell(&words->there, number);
        await(&words->back, number);
        times[at] = now() - start;
      } else {
        await(&words->there, number);
        tell(&words->back, number);
      }
    }
    qsort(times, trips, sizeof *times, by_size);
    answer_with(times[trips / 2], times[trips / 100 * 99]);
    free(times);
  }
  return 0;
}
