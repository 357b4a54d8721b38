// What a message of 1 MiB costs at the very least: one copy into the queue's memory and one out of it, by one
// thread.
//
//   memcpy
//
// Each line on the standard input is a number of messages, and starts a round; the answer is START END,
// nanoseconds of CLOCK_MONOTONIC.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { bytes = 1 << 20, places = 8 };

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

int main(void) {
  char* memory = malloc((size_t)(places + 2) * bytes);
  if (memory == NULL) return 1;
  memset(memory, 1, (size_t)(places + 2) * bytes);
  char *from = memory + (size_t)places * bytes, *to = from + bytes;
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const uint32_t count = (uint32_t)strtoul(line, NULL, 10);
    const int64_t start = now();
    for (uint32_t at = 0; at < count; at++) {
      char* place = memory + (size_t)(at % places) * bytes;
      memcpy(from, &at, sizeof at);
      memcpy(place, from, bytes);
      memcpy(to, place, bytes);
      if (memcmp(to, &at, sizeof at) != 0) return 1;
    }
    printf("%" PRId64 " %" PRId64 "\n", start, now());
    fflush(stdout);
  }
  free(memory);
  return 0;
}
