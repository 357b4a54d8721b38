// What the loops of twin.c need of a kernel's queue; mq.c and msg.c offer it with the plain blocking calls.
#pragma once

#include <stddef.h>

#include "peer.h"

enum { largest_message = 8192, largest_batch = 256, batch_bytes = 256 * 1024 };

/// A message with room in front for the type that msgsnd(2) wants there.
struct message {
  long type;
  char bytes[largest_message];
};

/// Opens the queue of that address, with the scheme cut off, or ends the program.
int queue_open(const char* address);
void queue_send(int queue, const struct message* message, size_t length);
size_t queue_receive(int queue, struct message* message);

#ifdef TWIN_BATCHES
/// One message of a batch in the slab.
struct part {
  size_t offset;
  size_t length;
};

/// Sends so many messages that lie one behind the other.
void queue_send_many(int queue, const char* slab, size_t length, size_t count);
/// Receives what there is, at least one message, into a slab of batch_bytes: how many.
size_t queue_receive_many(int queue, char* slab, struct part* parts, size_t most);
#endif
