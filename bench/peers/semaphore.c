// The twin of bench/semaphore.mjs: nanoseconds of taking and giving a free semaphore, in turn with Node.
//
//   semaphore posix /name | sysv ID, then on standard input a line with how many times, for each round
#include <semaphore.h>
#include <string.h>
#include <sys/sem.h>

#include "peer.h"

static void posix_pairs(sem_t* semaphore, uint64_t times) {
  for (uint64_t round = 0; round < times; round++) {
    if (sem_trywait(semaphore) != 0) give_up("sem_trywait");
    if (sem_post(semaphore) != 0) give_up("sem_post");
  }
}

static void sysv_pairs(int set, uint64_t times) {
  // As permits do it: what a killed holder has the kernel gives back.
  struct sembuf take = {0, -1, SEM_UNDO | IPC_NOWAIT};
  struct sembuf give = {0, 1, SEM_UNDO | IPC_NOWAIT};
  for (uint64_t round = 0; round < times; round++) {
    if (semop(set, &take, 1) != 0) give_up("semop");
    if (semop(set, &give, 1) != 0) give_up("semop");
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const int is_posix = strcmp(argv[1], "posix") == 0;
  sem_t* const named = is_posix ? sem_open(argv[2], 0) : NULL;
  if (is_posix && named == SEM_FAILED) give_up("sem_open");
  const int set = is_posix ? -1 : atoi(argv[2]);
  for (uint64_t times; next_round(&times);) {
    const int64_t start = now();
    if (is_posix) {
      posix_pairs(named, times);
    } else {
      sysv_pairs(set, times);
    }
    answer_each(start, (double)times);
  }
  return 0;
}
