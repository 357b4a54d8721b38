// The loops of mq-peer and msg-peer. interop/README.md describes the programs for a user.
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/// strerrorname_np(3) is too young to be everywhere.
static const char* errno_name(int number) {
  static const struct {
    int number;
    const char* name;
  } names[] = {
      {EACCES, "EACCES"},
      {EEXIST, "EEXIST"},
      {EIDRM, "EIDRM"},
      {EINVAL, "EINVAL"},
      {EMFILE, "EMFILE"},
      {ENFILE, "ENFILE"},
      {ENOENT, "ENOENT"},
      {ENOMEM, "ENOMEM"},
      {ENOSPC, "ENOSPC"},
      {ENOSYS, "ENOSYS"},
      {EPERM, "EPERM"},
      {EMSGSIZE, "EMSGSIZE"},
      {ENAMETOOLONG, "ENAMETOOLONG"},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (names[i].number == number) return names[i].name;
  }
  return "errno";
}

void fail(const char* call, const char* subject) {
  const int number = errno;
  fprintf(stderr, "%s: %s failed: %s (%s): %s\n", own_name, call, strerror(number), errno_name(number),
          subject);
  exit(EXIT_FAILED);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t deadline_after(int timeout_ms) { return timeout_ms < 0 ? -1 : now_ms() + timeout_ms; }

int time_left_ms(int64_t deadline) {
  if (deadline < 0) return -1;
  const int64_t left = deadline - now_ms();
  return left < 0 ? 0 : (int)left;
}

/// With write(2), so that a line that was written survives the writer. Frees the line.
static void write_line(int fd, const char* subject, char* line) {
  const char* at = line;
  for (size_t left = strlen(line); left > 0;) {
    const ssize_t written = write(fd, at, left);
    if (written == -1 && errno == EINTR) continue;
    if (written == -1) fail("write", subject);
    at += written;
    left -= (size_t)written;
  }
  free(line);
}

static void print_line(char* line) { write_line(STDOUT_FILENO, "standard output", line); }

static int finish(const struct options* options, enum outcome outcome, const struct totals* totals,
                  const char* direction) {
  print_line(summary_line(totals, direction));
  if (outcome != TIMED_OUT) return EXIT_OK;
  fprintf(stderr, "%s: timed out: %s for %d ms, after %llu messages\n", own_name,
          strcmp(direction, "sent") == 0 ? "the queue stayed full" : "no message came", options->timeout_ms,
          (unsigned long long)totals->count);
  return EXIT_TIMEOUT;
}

static int run_sender(const struct options* options) {
  struct totals totals = {0};
  enum outcome outcome = DONE;
  for (uint32_t id = 0; id < options->count; id++) {
    char bytes[MESSAGE_MAX];
    const size_t size = options->mode == MODE_STOP ? make_stop(bytes, options->format)
                                                   : make_message(bytes, options->format, options->seed, id);
    const long tag = options->tag + (options->cycles ? (long)(id % 4) : 0);
    const struct message message = {.bytes = bytes, .size = size, .tag = tag};
    outcome = queue_send(options, &message);
    if (outcome != DONE) break;
    print_line(message_line(&totals, &message, options->format, "sent", own_tag));
  }
  return finish(options, outcome, &totals, "sent");
}

static int run_receiver(const struct options* options) {
  struct totals totals = {0};
  enum outcome outcome = DONE;
  while (totals.count < options->count) {
    struct message message;
    outcome = queue_receive(options, &message);
    if (outcome != DONE) break;
    print_line(message_line(&totals, &message, options->format, "received", own_tag));
  }
  return finish(options, outcome, &totals, "received");
}

static int run_worker(const struct options* options, int ledger) {
  struct totals totals = {0};
  enum outcome outcome;
  printf("{\"ready\":true,\"pid\":%d}\n", (int)getpid());
  fflush(stdout);
  for (;;) {
    struct message message;
    outcome = queue_receive(options, &message);
    if (outcome != DONE || is_stop(&message, options->format)) break;
    write_line(ledger, options->ledger,
               message_line(&totals, &message, options->format, "received", own_tag));
  }
  return finish(options, outcome, &totals, "received");
}

static int open_ledger(const char* path) {
  // Whole lines at the end of the file, also when several workers share it.
  const int ledger = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (ledger == -1) fail("open", path);
  return ledger;
}

int main(int argc, char* argv[]) {
  const struct options options = parse_command_line(argc, argv);
  int status;
  if (options.mode == MODE_WORKER) {
    const int ledger = open_ledger(options.ledger);
    queue_open(&options);
    status = run_worker(&options, ledger);
  } else {
    queue_open(&options);
    status = options.mode == MODE_RECV ? run_receiver(&options) : run_sender(&options);
  }
  if (options.unlink) queue_unlink(&options);
  return status;
}
