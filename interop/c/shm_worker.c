// A worker on a queue in shared memory, in C: takes a job on lease, works, acknowledges. Kill it at any
// moment: the job that it held goes to another worker, in whatever language, and is marked as redelivered.
//
//   shm-worker NAME [TYPE]
//
// NAME is that of the queue, /jobs; TYPE what it carries, json unless told otherwise. A job is printed, and
// one that was delivered for the third time is given up. Ends at SIGTERM, SIGINT, or when the queue is shut
// down. To use it as a starting point: cc worker.c $(pkg-config --cflags --libs ipckit)
#include <errno.h>
#include <ipckit/queue.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DELIVERIES = 3 };
static const int64_t second = 1000000000;

static volatile sig_atomic_t told_to_stop;

static void stop(int number) {
  (void)number;
  told_to_stop = 1;
}

static int fail(const char* call, int64_t error) {
  fprintf(stderr, "shm-worker: %s: %s\n", call, ipckit_strerror((int)error));
  return 1;
}

static void work(const char* job, int64_t length, const ipckit_message_t* message) {
  printf("%s%.*s\n", message->redelivered ? "again: " : "", (int)length, job);
  fflush(stdout);
}

/// One job, or none for a while; a lease of 30 s goes to another when we hang, and at once when we die.
static int64_t take(ipckit_queue_t* jobs, char** buffer, size_t* size, ipckit_message_t* message) {
  for (;;) {
    const int64_t length = ipckit_queue_lease(jobs, *buffer, *size, message, 30 * second, second / 10);
    if (length != -EMSGSIZE) return length;
    char* larger = realloc(*buffer, message->length);
    if (larger == NULL) return -ENOMEM;
    *buffer = larger;
    *size = message->length;
  }
}

static int run(ipckit_queue_t* jobs) {
  size_t size = 8192;
  char* buffer = malloc(size);
  int64_t result = buffer == NULL ? -ENOMEM : 0;
  while (!told_to_stop && result >= 0) {
    ipckit_message_t message;
    const int64_t length = take(jobs, &buffer, &size, &message);
    if (length == -ETIMEDOUT) continue;
    if (length < 0) {
      result = length;
    } else if (message.delivery_count > MOST_DELIVERIES) {
      result = ipckit_queue_reject(jobs, &message.token);
    } else {
      work(buffer, length, &message);
      result = ipckit_queue_ack(jobs, &message.token);
    }
    // The lease ran out while we worked: another has the job now, and nothing is wrong with the queue.
    if (result == IPCKIT_E_STALE) result = 0;
  }
  free(buffer);
  if (result < 0 && result != IPCKIT_E_SHUTDOWN) return fail("lease", result);
  return 0;
}

int main(int count, char** arguments) {
  if (count < 2 || count > 3) return fprintf(stderr, "usage: shm-worker NAME [TYPE]\n"), 2;
  const struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);

  ipckit_queue_options_t options = {.participant = "shm-worker"};
  options.type_name = count == 3 ? arguments[2] : "json";
  options.fingerprint = ipckit_fingerprint(options.type_name);
  ipckit_refusal_t refusal = {0};
  ipckit_queue_t* jobs;
  const int error = ipckit_queue_open(arguments[1], &options, &refusal, &jobs);
  if (error == IPCKIT_E_TYPE) fprintf(stderr, "shm-worker: the queue carries %s\n", refusal.type_name);
  if (error < 0) return fail(arguments[1], error);
  const int code = run(jobs);
  ipckit_queue_close(jobs);
  return code;
}
