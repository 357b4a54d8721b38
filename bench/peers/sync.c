// The twin of bench/sync.mjs, in turn with Node: what the library itself costs, and what the kernel does.
//
//   sync pairs /name   nanoseconds of acquiring and releasing a free lock
//   sync futex         nanoseconds of a hand-over between two processes that sleep at a word each, futex(2)
//
// On standard input a line with how many times, for each round.
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ipckit/sync.h"
#include "peer.h"

static void pairs(ipckit_sync_t* lock, uint64_t times) {
  for (uint64_t round = 0; round < times; round++) {
    ipckit_wait_t wait = {.operation = IPCKIT_ACQUIRE};
    if (ipckit_sync_wait(lock, &wait, IPCKIT_FOREVER) != 0) give_up("ipckit_sync_wait");
    if (ipckit_sync_release(lock, 0, 1) != 0) give_up("ipckit_sync_release");
  }
}

// A word that one gives and the other takes.
static void give(_Atomic uint32_t* word) {
  atomic_store(word, 1);
  syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void take(_Atomic uint32_t* word) {
  while (atomic_exchange(word, 0) == 0) syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void hand_over(_Atomic uint32_t* words, uint64_t times) {
  const pid_t child = fork();
  if (child < 0) give_up("fork");
  if (child == 0) {
    for (uint64_t round = 0; round < times; round++) {
      take(&words[0]);
      give(&words[32]);
    }
    _exit(0);
  }
  for (uint64_t round = 0; round < times; round++) {
    give(&words[0]);
    take(&words[32]);
  }
  waitpid(child, NULL, 0);
}

int main(int argc, char** argv) {
  const int is_pairs = argc == 3 && strcmp(argv[1], "pairs") == 0;
  if (!is_pairs && (argc != 2 || strcmp(argv[1], "futex") != 0)) return 2;
  ipckit_sync_t* lock = NULL;
  const ipckit_sync_options_t options = {.kind = IPCKIT_KIND_LOCK};
  if (is_pairs && ipckit_sync_open(argv[2], &options, NULL, &lock) < 0) give_up("ipckit_sync_open");
  _Atomic uint32_t* words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (words == MAP_FAILED) give_up("mmap");
  for (uint64_t times; next_round(&times);) {
    const int64_t start = now();
    if (is_pairs) {
      pairs(lock, times);
    } else {
      hand_over(words, times);
    }
    answer_each(start, (double)times * (is_pairs ? 1 : 2));
  }
  return 0;
}
