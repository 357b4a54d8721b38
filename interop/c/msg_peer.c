// msg-peer: sends and receives on System V message queues, sysvipc(7). They have no descriptor to poll. The
// peer waits with a buffer of no bytes: msgrcv(2) sleeps until a matching message is there, fails with E2BIG,
// and the message stays in the queue. Only then is it taken, without waiting: what waits holds no message.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <time.h>

#include "peer.h"

const char own_name[] = "msg-peer";
const char own_tag[] = "type";
const unsigned own_options = OPT_KEY | OPT_ID | OPT_TYPE | OPT_EXCEPT;
const char own_usage[] =
    "--type T; QUEUE is --key 0x1234 or --id N. recv and worker take --type 0 for any, n for that\n"
    "one, -n for the lowest up to n, and --except for any but n; send takes --type cycles: 1, 2, 3,\n"
    "4, 1, ...\n";

/// What msgsnd and msgrcv want: the type, then the bytes. Only the bytes are counted in a size.
struct packet {
  long type;
  char bytes[];
};

static int queue = -1;
static char subject[32];
static struct packet* packet;
static size_t capacity;

static void grow(size_t bytes) {
  packet = realloc(packet, sizeof *packet + bytes);
  if (packet == NULL) fail("realloc", subject);
  capacity = bytes;
}

// ---- how a wait ends early

// msgrcv and msgsnd know no timeout, but a handled signal ends them with EINTR. One that comes just before
// the call begins is missed, so the signal comes again and again.
enum { REPEAT_MS = 20 };

static timer_t ticker;
static volatile sig_atomic_t stopped;

/// May be called from a signal handler. 0 ends the ticking.
static void tick_after(int first_ms) {
  const struct itimerspec times = {
      .it_value = {.tv_sec = first_ms / 1000, .tv_nsec = first_ms % 1000 * 1000000L},
      .it_interval = {.tv_nsec = REPEAT_MS * 1000000L},
  };
  timer_settime(ticker, 0, &times, NULL);
}

static void on_tick(int signal) { (void)signal; }

static void on_sigterm(int signal) {
  (void)signal;
  stopped = 1;
  tick_after(REPEAT_MS);
}

static void handle(int signal, void (*handler)(int)) {
  const struct sigaction action = {.sa_handler = handler};
  if (sigaction(signal, &action, NULL) == -1) fail("sigaction", subject);
}

static void prepare_signals(bool stop_on_sigterm) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
  handle(SIGALRM, on_tick);
  if (timer_create(CLOCK_MONOTONIC, &event, &ticker) == -1) fail("timer_create", subject);
  if (stop_on_sigterm) handle(SIGTERM, on_sigterm);
}

/// Comes before may_block: a timer set after the look at `stopped` could replace the one of on_sigterm.
static int64_t begin_wait(int timeout_ms) {
  if (timeout_ms > 0) tick_after(timeout_ms);
  return deadline_after(timeout_ms);
}

static enum outcome may_block(int64_t deadline) {
  if (stopped) return STOPPED;
  return time_left_ms(deadline) == 0 ? TIMED_OUT : DONE;
}

static void end_wait(int timeout_ms) {
  if (timeout_ms > 0) tick_after(0);
}

// ---- the queue

void queue_open(const struct options* options) {
  if (options->id >= 0) {
    snprintf(subject, sizeof subject, "id %d", options->id);
    queue = options->id;
    struct msqid_ds state;
    if (msgctl(queue, IPC_STAT, &state) == -1) fail("msgctl", subject);
  } else {
    snprintf(subject, sizeof subject, "key 0x%x", (unsigned)options->key);
    queue = msgget(options->key, options->create ? IPC_CREAT | IPC_EXCL | 0600 : 0);
    if (queue == -1) fail("msgget", subject);
  }
  grow(8192);  // the usual kernel.msgmax
  prepare_signals(options->mode == MODE_WORKER);
}

enum outcome queue_send(const struct options* options, const struct message* message) {
  enum outcome outcome = DONE;
  packet->type = message->tag;
  memcpy(packet->bytes, message->bytes, message->size);
  const int64_t deadline = begin_wait(options->timeout_ms);
  int flags = IPC_NOWAIT;  // the first time
  while (msgsnd(queue, packet, message->size, flags) == -1) {
    if (errno != EAGAIN && errno != EINTR) fail("msgsnd", subject);
    outcome = may_block(deadline);
    if (outcome != DONE) break;
    flags = 0;
  }
  end_wait(options->timeout_ms);
  return outcome;
}

static enum outcome receive(long type, int flags, int64_t deadline, size_t* size) {
  while (!stopped) {
    ssize_t got = msgrcv(queue, packet, capacity, type, flags | IPC_NOWAIT);
    if (got == -1 && errno == E2BIG) {
      grow(2 * capacity);  // a refused message stays in the queue
      continue;
    }
    if (got == -1 && errno == ENOMSG) {
      const enum outcome outcome = may_block(deadline);
      if (outcome != DONE) return outcome;
      got = msgrcv(queue, packet, 0, type, flags);
      if (got == -1 && errno == E2BIG) continue;  // there it is, unless another receiver is faster
    }
    // An empty message fits into a buffer of no bytes: the wait itself has then received it.
    if (got >= 0) {
      *size = (size_t)got;
      return DONE;
    }
    if (errno != EINTR) fail("msgrcv", subject);
  }
  return STOPPED;
}

enum outcome queue_receive(const struct options* options, struct message* message) {
  size_t size;
  const int64_t deadline = begin_wait(options->timeout_ms);
  const enum outcome outcome = receive(options->tag, options->except ? MSG_EXCEPT : 0, deadline, &size);
  end_wait(options->timeout_ms);
  if (outcome == DONE) *message = (struct message){.bytes = packet->bytes, .size = size, .tag = packet->type};
  return outcome;
}

void queue_unlink(const struct options* options) {
  (void)options;
  if (msgctl(queue, IPC_RMID, NULL) == -1) fail("msgctl", subject);
}
