// The twin of bench/shared-memory.mjs: nanoseconds of one round in which a field of shared memory is read,
// another is read and written, and a third is written; and of one atomic add. Prints both as JSON.
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "peer.h"

struct record {
  int32_t id;
  double px;
  uint32_t qty;
  double high;
  _Atomic uint32_t hits;
};

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const int memory = shm_open(arguments[1], O_RDWR, 0);
  if (memory < 0) give_up("shm_open");
  // volatile: another process may look between any two rounds, so each access is made.
  volatile struct record* records =
      mmap(NULL, 256 * sizeof *records, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  if (records == MAP_FAILED) give_up("mmap");
  const int rounds = 20000000;
  int64_t begin = now();
  for (int i = 0; i < rounds; i++) {
    volatile struct record* at = &records[i & 255];
    at->px = at->px + at->high;
    at->id = i;
  }
  const double fields = (double)(now() - begin) / rounds;
  begin = now();
  for (int i = 0; i < rounds; i++) atomic_fetch_add(&records[0].hits, 1);
  printf("{\"fields\":%.3f,\"atomic\":%.3f}\n", fields, (double)(now() - begin) / rounds);
  return 0;
}
