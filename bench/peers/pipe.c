// The C twin of pipe.mjs: bytes through a FIFO, with blocking reads and writes of 64 KiB.
//
//   pipe ROLE PATH
//
// Each line on the standard input is a number of chunks, and starts a round; the answers are described in
// pipe.mjs.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { chunk_bytes = 65536 };

static char chunk[chunk_bytes];

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (long long)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int produce(int pipe, uint64_t bytes) {
  while (bytes > 0) {
    const ssize_t size = write(pipe, chunk, bytes < chunk_bytes ? bytes : chunk_bytes);
    if (size <= 0) return 0;
    bytes -= (uint64_t)size;
  }
  return 1;
}

static int consume(int pipe, uint64_t bytes) {
  while (bytes > 0) {
    const ssize_t size = read(pipe, chunk, bytes < chunk_bytes ? bytes : chunk_bytes);
    if (size <= 0) return 0;
    bytes -= (uint64_t)size;
  }
  return 1;
}

int main(int count, char** values) {
  if (count != 3) return 2;
  const int writes = strcmp(values[1], "produce") == 0;
  const int pipe = open(values[2], O_RDWR | O_CLOEXEC);
  if (pipe < 0) {
    perror("open");
    return 1;
  }
  char line[32];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const uint64_t bytes = strtoull(line, NULL, 10) * chunk_bytes;
    if (!writes) {
      puts("ready");
      fflush(stdout);
    }
    const long long start = now();
    if (!(writes ? produce(pipe, bytes) : consume(pipe, bytes))) {
      perror(values[1]);
      return 1;
    }
    printf("%lld %lld\n", start, now());
    fflush(stdout);
  }
  return 0;
}
