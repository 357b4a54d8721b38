// What a message of 1 MiB costs at the very least: one copy into the queue's memory and one out of it, by one
// thread.
//
//   memcpy
//
// Each line on the standard input is a number of messages, and starts a round; the answer is START END,
// nanoseconds of CLOCK_MONOTONIC.
#include <string.h>

#include "peer.h"

enum { bytes = 1 << 20, places = 8 };

int main(void) {
  char* memory = malloc((size_t)(places + 2) * bytes);
  if (memory == NULL) return 1;
  memset(memory, 1, (size_t)(places + 2) * bytes);
  char *from = memory + (size_t)places * bytes, *to = from + bytes;
  for (uint64_t count; next_round(&count);) {
    const int64_t start = now();
    for (uint32_t at = 0; at < count; at++) {
      char* place = memory + (size_t)(at % places) * bytes;
      memcpy(from, &at, sizeof at);
      memcpy(place, from, bytes);
      memcpy(to, place, bytes);
      if (memcmp(to, &at, sizeof at) != 0) return 1;
    }
    answer_with(start, now());
  }
  free(memory);
  return 0;
}
