// What the C peers have in common: the clock, the lines on the standard input that start their rounds, and
// their answers, one line each.
#pragma once

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/// Ends the program with what failed and why.
static inline _Noreturn void give_up(const char* what) {
  perror(what);
  exit(1);
}

/// Nanoseconds of CLOCK_MONOTONIC.
static inline int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/// Waits for the next round: whether there is one, and its number.
static inline int next_round(uint64_t* number) {
  char line[32];
  if (fgets(line, sizeof line, stdin) == NULL) return 0;
  *number = strtoull(line, NULL, 10);
  return 1;
}

/// Says that this peer is about to wait for the other.
static inline void answer_ready(void) {
  puts("ready");
  fflush(stdout);
}

static inline void answer_with(int64_t first, int64_t second) {
  printf("%" PRId64 " %" PRId64 "\n", first, second);
  fflush(stdout);
}

/// Nanoseconds that each of so many things took since `start`.
static inline void answer_each(int64_t start, double things) {
  printf("%f\n", (double)(now() - start) / things);
  fflush(stdout);
}

/// For qsort(3).
static inline int by_size(const void* left, const void* right) {
  const int64_t a = *(const int64_t*)left, b = *(const int64_t*)right;
  return (a > b) - (a < b);
}

static inline void sort_times(int64_t* times, size_t count) { qsort(times, count, sizeof *times, by_size); }
