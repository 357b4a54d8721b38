// The twin's queue: in shared memory, through libipckit, which is compiled into the twin. The only one with
// batches.
#include <errno.h>
#include <string.h>

#include "ipckit/queue.h"
#include "twin.h"

static ipckit_queue_t* queues[2];
static int opened;

static void check(int64_t result, const char* what) {
  if (result >= 0) return;
  errno = (int)-result;
  give_up(what);
}

int queue_open(const char* address) {
  check(ipckit_queue_open(address, NULL, NULL, &queues[opened]), "ipckit_queue_open");
  return opened++;
}

void queue_send(int queue, const struct message* message, size_t length) {
  check(ipckit_queue_put(queues[queue], message->bytes, length, 0, IPCKIT_FOREVER), "ipckit_queue_put");
}

size_t queue_receive(int queue, struct message* message) {
  const int64_t length =
      ipckit_queue_get(queues[queue], message->bytes, largest_message, NULL, IPCKIT_FOREVER);
  check(length, "ipckit_queue_get");
  return (size_t)length;
}

void queue_send_many(int queue, const char* slab, size_t length, size_t count) {
  ipckit_slice_t slices[largest_batch];
  for (size_t at = 0; at < count; at++) slices[at] = (ipckit_slice_t){slab + at * length, length, 0};
  for (size_t sent = 0; sent < count;) {
    const int64_t some = ipckit_queue_put_many(queues[queue], slices + sent, count - sent, IPCKIT_FOREVER);
    check(some, "ipckit_queue_put_many");
    sent += (size_t)some;
  }
}

size_t queue_receive_many(int queue, char* slab, struct part* parts, size_t most) {
  ipckit_message_t messages[largest_batch];
  const int64_t count =
      ipckit_queue_get_many(queues[queue], slab, batch_bytes, messages, most, IPCKIT_FOREVER);
  check(count, "ipckit_queue_get_many");
  for (int64_t at = 0; at < count; at++) parts[at] = (struct part){messages[at].offset, messages[at].length};
  return (size_t)count;
}
