// The twin of bench/semaphore.mjs: nanoseconds of taking and giving a free semaphore, in turn with Node.
//
//   semaphore posix /name | sysv ID, then on standard input a line with how many times, for each round
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sem.h>
#include <time.h>

static _Noreturn void give_up(const char* what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void posix_pairs(sem_t* semaphore, long times) {
  for (long round = 0; round < times; round++) {
    if (sem_trywait(semaphore) != 0) give_up("sem_trywait");
    if (sem_post(semaphore) != 0) give_up("sem_post");
  }
}

static void sysv_pairs(int set, long times) {
  // As permits do it: what a killed holder has the kernel gives back.
  struct sembuf take = {0, -1, SEM_UNDO | IPC_NOWAIT};
  struct sembuf give = {0, 1, SEM_UNDO | IPC_NOWAIT};
  for (long round = 0; round < times; round++) {
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
  char line[64];
  while (fgets(line, sizeof line, stdin) != NULL) {
    const long times = strtol(line, NULL, 10);
    const double before = now();
    if (is_posix) {
      posix_pairs(named, times);
    } else {
      sysv_pairs(set, times);
    }
    printf("%f\n", (now() - before) / (double)times);
    fflush(stdout);
  }
  return 0;
}
