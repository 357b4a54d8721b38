// For tests that damage a queue: one of few and short messages, of which every word counts.
#ifndef IPCKIT_TEST_RING_SMALL_QUEUE_H
#define IPCKIT_TEST_RING_SMALL_QUEUE_H

#include "ipckit/queue.h"

constexpr size_t kLargest = 600;

inline ipckit_queue_options_t small_queue() {
  ipckit_queue_options_t options = {};
  options.capacity = 6;
  options.dead_capacity = 2;
  options.max_message_bytes = kLargest;
  options.capacity_bytes = 4096;
  options.block_bytes = 64;
  options.copy_outside_bytes = 300;
  options.participants = 4;
  options.max_deliveries = 3;
  return options;
}

#endif
