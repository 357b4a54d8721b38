// The twin's queue: System V.
#include <stdlib.h>
#include <sys/msg.h>

#include "twin.h"

int queue_open(const char* address) {
  const int queue = msgget((key_t)strtoul(address, NULL, 16), 0);
  if (queue < 0) give_up("msgget");
  return queue;
}

void queue_send(int queue, const struct message* message, size_t length) {
  if (msgsnd(queue, message, length, 0) != 0) give_up("msgsnd");
}

size_t queue_receive(int queue, struct message* message) {
  const ssize_t length = msgrcv(queue, message, largest_message, 0, 0);
  if (length < 0) give_up("msgrcv");
  return (size_t)length;
}
