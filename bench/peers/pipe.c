// The C twin of pipe.mjs: bytes through a FIFO, with blocking reads and writes of 64 KiB.
//
//   pipe ROLE PATH
//
// Each line on the standard input is a number of chunks, and starts a round; the answers are described in
// pipe.mjs.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

enum { chunk_bytes = 65536 };

static char chunk[chunk_bytes];

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
  if (pipe < 0) give_up("open");
  for (uint64_t chunks; next_round(&chunks);) {
    const uint64_t bytes = chunks * chunk_bytes;
    if (!writes) answer_ready();
    const int64_t start = now();
    if (!(writes ? produce(pipe, bytes) : consume(pipe, bytes))) give_up(values[1]);
    answer_with(start, now());
  }
  return 0;
}
