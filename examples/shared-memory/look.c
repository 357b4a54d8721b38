// cc -o look examples/shared-memory/look.c -lrt && ./look
// Prints the quotes that feed.mjs wrote.
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

struct quote {
  int id;
  double px;
  char sym[8];
};

struct table {
  _Atomic unsigned count;
  struct quote quotes[16];
};

int main(void) {
  int memory = shm_open("/quotes", O_RDONLY, 0);
  const struct table* table = mmap(NULL, sizeof *table, PROT_READ, MAP_SHARED, memory, 0);
  if (table == MAP_FAILED) return perror("/quotes"), 1;
  const unsigned count = atomic_load((_Atomic unsigned*)&table->count);
  for (unsigned at = 0; at < count && at < 16; at++) {
    const struct quote* quote = &table->quotes[at];
    printf("#%d %.8s %g\n", quote->id, quote->sym, quote->px);
  }
}
