// One end of a round trip through two words of shared memory, with nothing but futex(2): what waking and
// being woken costs. A rested ping is one after 3 ms of sleep.
//
//   futex ping|rested-ping|pong PATH
//
// Each line on the standard input is a number of round trips, and starts a round; the answers are described
// in node.mjs.
#include <fcntl.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "peer.h"

/// A line each, as in the queue.
struct words {
  uint32_t there;
  char gap[124];
  uint32_t back;
};

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

int main(int count, char** values) {
  const int file = count == 3 ? open(values[2], O_RDWR) : -1;
  if (file < 0) return 2;
  struct words* words = mmap(NULL, sizeof *words, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (words == MAP_FAILED) return 1;
  const bool rests = strcmp(values[1], "rested-ping") == 0;
  const bool pings = rests || strcmp(values[1], "ping") == 0;
  const struct timespec rest = {0, 3000000};
  uint32_t number = 0;
  for (uint64_t trips; next_round(&trips);) {
    int64_t* times = calloc(trips, sizeof *times);
    if (times == NULL) return 1;
    if (!pings) answer_ready();
    for (uint64_t at = 0; at < trips; at++) {
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
    sort_times(times, trips);
    answer_with(times[trips / 2], times[trips / 100 * 99]);
    free(times);
  }
  return 0;
}
