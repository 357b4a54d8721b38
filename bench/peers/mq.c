// The twin's queue: POSIX.
#include <fcntl.h>
#include <mqueue.h>

#include "twin.h"

int queue_open(const char* address) {
  const mqd_t queue = mq_open(address, O_RDWR);
  if (queue < 0) give_up("mq_open");
  return queue;
}

void queue_send(int queue, const struct message* message, size_t length) {
  if (mq_send(queue, message->bytes, length, 0) != 0) give_up("mq_send");
}

size_t queue_receive(int queue, struct message* message) {
  const ssize_t length = mq_receive(queue, message->bytes, largest_message, NULL);
  if (length < 0) give_up("mq_receive");
  return (size_t)length;
}
