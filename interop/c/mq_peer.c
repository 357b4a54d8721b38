// mq-peer: sends and receives on POSIX message queues, mq_overview(7). A queue is a descriptor on Linux, so
// the peer polls it and only then takes a message, without waiting: what waits holds no message.
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include "peer.h"

const char own_name[] = "mq-peer";
const char own_tag[] = "priority";
const unsigned own_options = OPT_QUEUE | OPT_PRIORITY | OPT_MAXMSG | OPT_MSGSIZE;
const char own_usage[] =
    "--maxmsg N and --msgsize N with --create; QUEUE is --queue /name.\n"
    "send and stop also take --priority P; send takes --priority cycles: 0, 1, 2, 3, 0, ...\n";

static mqd_t queue = -1;
/// Readable once SIGTERM came; poll(2) passes over it while it is -1.
static int terminated = -1;
static char* buffer;
static size_t buffer_size;

static void create(const struct options* options) {
  struct mq_attr wanted = {
      // What the kernel allows everyone, unless fs.mqueue.msg_max and msgsize_max have been lowered.
      .mq_maxmsg = options->maxmsg != 0 ? options->maxmsg : 10,
      .mq_msgsize = options->msgsize != 0 ? options->msgsize : 8192,
  };
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK | O_CLOEXEC;
  queue = mq_open(options->queue, flags, 0600, &wanted);
}

static void watch_sigterm(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  terminated = signalfd(-1, &set, SFD_CLOEXEC);
  if (terminated == -1) fail("signalfd", "SIGTERM");
}

void queue_open(const struct options* options) {
  const int access = options->mode == MODE_SEND || options->mode == MODE_STOP ? O_WRONLY : O_RDONLY;
  if (options->create) {
    create(options);
  } else {
    queue = mq_open(options->queue, access | O_NONBLOCK | O_CLOEXEC);
  }
  if (queue == -1) fail("mq_open", options->queue);
  struct mq_attr attributes;
  if (mq_getattr(queue, &attributes) == -1) fail("mq_getattr", options->queue);
  buffer_size = (size_t)attributes.mq_msgsize;  // mq_receive refuses a smaller buffer
  buffer = malloc(buffer_size);
  if (buffer == NULL) fail("malloc", options->queue);
  if (options->mode == MODE_WORKER) watch_sigterm();
}

static enum outcome wait_for(short event, int64_t deadline, const char* name) {
  for (;;) {
    struct pollfd watched[] = {{.fd = queue, .events = event}, {.fd = terminated, .events = POLLIN}};
    const int ready = poll(watched, 2, time_left_ms(deadline));
    if (ready == -1 && errno == EINTR) continue;
    if (ready == -1) fail("poll", name);
    if (watched[1].revents != 0) return STOPPED;
    return ready == 0 ? TIMED_OUT : DONE;
  }
}

// EAGAIN after poll means that another process was faster: wait again, against the same deadline.

enum outcome queue_send(const struct options* options, const struct message* message) {
  const int64_t deadline = deadline_after(options->timeout_ms);
  for (;;) {
    const enum outcome outcome = wait_for(POLLOUT, deadline, options->queue);
    if (outcome != DONE) return outcome;
    if (mq_send(queue, message->bytes, message->size, (unsigned)message->tag) == 0) return DONE;
    if (errno != EAGAIN && errno != EINTR) fail("mq_send", options->queue);
  }
}

enum outcome queue_receive(const struct options* options, struct message* message) {
  const int64_t deadline = deadline_after(options->timeout_ms);
  for (;;) {
    const enum outcome outcome = wait_for(POLLIN, deadline, options->queue);
    if (outcome != DONE) return outcome;
    unsigned priority;
    const ssize_t size = mq_receive(queue, buffer, buffer_size, &priority);
    if (size >= 0) {
      *message = (struct message){.bytes = buffer, .size = (size_t)size, .tag = (long)priority};
      return DONE;
    }
    if (errno != EAGAIN && errno != EINTR) fail("mq_receive", options->queue);
  }
}

void queue_unlink(const struct options* options) {
  if (mq_unlink(options->queue) == -1) fail("mq_unlink", options->queue);
}
