// sem-peer: waits for semaphores and posts them, POSIX ones (sem_overview(7)) and those of a System V set
// (semop(2)). With --counter it is also what a semaphore is for: several of them add to a number in a file,
// which goes wrong without the semaphore.
//
//   sem-peer wait|post (--name /x | --key 0x1234) [--index N] [--count N]
//   sem-peer count (--name /x | --key 0x1234 | --unlocked) --file PATH --times N
//
// Prints "waiting" before its first wait and "done" in the end. System V operations use SEM_UNDO where they
// take.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <unistd.h>

static sem_t* named;
static int set = -1;
static unsigned short semaphore_index;

static _Noreturn void give_up(const char* what) {
  fprintf(stderr, "sem-peer: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void change(short by) {
  struct sembuf operation = {semaphore_index, by, by < 0 ? SEM_UNDO : 0};
  while (semop(set, &operation, 1) != 0) {
    if (errno != EINTR) give_up("semop");
  }
}

static void take(void) {
  if (named != NULL) {
    while (sem_wait(named) != 0) {
      if (errno != EINTR) give_up("sem_wait");
    }
  } else if (set >= 0) {
    change(-1);
  }
}

static void give(void) {
  if (named != NULL && sem_post(named) != 0) give_up("sem_post");
  // What was taken with SEM_UNDO is given back with it when it is a lock; a post is for good.
  if (named == NULL && set >= 0) change(1);
}

static void give_back(void) {
  if (named != NULL || set < 0) {
    give();
    return;
  }
  struct sembuf operation = {semaphore_index, 1, SEM_UNDO};
  if (semop(set, &operation, 1) != 0) give_up("semop");
}

/// Adds 1 so many times, slowly enough that others come in between where nothing keeps them out.
static void count(const char* path, long times) {
  const int file = open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) give_up(path);
  volatile long* number = mmap(NULL, sizeof *number, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (number == MAP_FAILED) give_up("mmap");
  for (long round = 0; round < times; round++) {
    take();
    const long seen = *number;
    sched_yield();
    *number = seen + 1;
    give_back();
  }
}

int main(int argc, char** argv) {
  const char* mode = argc > 1 ? argv[1] : "";
  const char* path = NULL;
  long repeats = 1;
  for (int at = 2; at < argc; at++) {
    const char* option = argv[at];
    if (strcmp(option, "--unlocked") == 0) continue;
    if (++at == argc) {
      fprintf(stderr, "sem-peer: expected a value for %s\n", option);
      return 2;
    }
    const char* value = argv[at];
    if (strcmp(option, "--name") == 0) {
      named = sem_open(value, 0);
      if (named == SEM_FAILED) give_up(value);
    } else if (strcmp(option, "--key") == 0) {
      set = semget((key_t)strtoul(value, NULL, 0), 0, 0600);
      if (set < 0) give_up(value);
    } else if (strcmp(option, "--index") == 0) {
      semaphore_index = (unsigned short)strtoul(value, NULL, 0);
    } else if (strcmp(option, "--count") == 0 || strcmp(option, "--times") == 0) {
      repeats = strtol(value, NULL, 0);
    } else if (strcmp(option, "--file") == 0) {
      path = value;
    } else {
      fprintf(stderr, "sem-peer: unknown option %s\n", option);
      return 2;
    }
  }
  puts("waiting");
  fflush(stdout);
  if (strcmp(mode, "count") == 0 && path != NULL) {
    count(path, repeats);
  } else if (strcmp(mode, "wait") == 0) {
    for (long round = 0; round < repeats; round++) take();
    // What it took is given back by the kernel when it ends, unless it was taken for good.
    if (set >= 0) {
      puts("held");
      fflush(stdout);
      (void)getchar();
    }
  } else if (strcmp(mode, "post") == 0) {
    for (long round = 0; round < repeats; round++) give();
  } else {
    fprintf(stderr, "sem-peer: expected wait, post or count\n");
    return 2;
  }
  puts("done");
  return 0;
}
