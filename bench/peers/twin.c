// The C twin of node.mjs: the same roles, the same messages, the same checks, and the plain blocking calls.
//
//   twin ROLE BYTES NUMBER ADDRESS [ADDRESS]
//
// Each line on the standard input is a number of messages, and starts a round; the answers are described in
// node.mjs.
#include <string.h>

#include "twin.h"

enum { most_producers = 16 };

static struct message message = {.type = 1};
static uint32_t next_of[most_producers];

static void number_message(size_t length, uint32_t producer, uint32_t sequence) {
  memcpy(message.bytes, &sequence, 4);
  memcpy(message.bytes + 4, &producer, 4);
  memcpy(message.bytes + length - 4, &sequence, 4);
}

static void check_message(size_t length, size_t expected) {
  uint32_t sequence, producer, last;
  memcpy(&sequence, message.bytes, 4);
  memcpy(&producer, message.bytes + 4, 4);
  memcpy(&last, message.bytes + length - 4, 4);
  if (length == expected && producer < most_producers && sequence == next_of[producer] && last == sequence) {
    next_of[producer]++;
    return;
  }
  fprintf(stderr, "twin: message %u of producer %u, %zu bytes, is not the one that was due\n", sequence,
          producer, length);
  exit(1);
}

static void produce(int queue, size_t length, uint32_t producer, uint32_t count) {
  const int64_t start = now();
  for (uint32_t sequence = 0; sequence < count; sequence++) {
    number_message(length, producer, sequence);
    queue_send(queue, &message, length);
  }
  answer_with(start, now());
}

static void consume(int queue, size_t length, uint32_t count) {
  memset(next_of, 0, sizeof next_of);
  answer_ready();
  const int64_t start = now();
  for (uint32_t received = 0; received < count; received++) {
    check_message(queue_receive(queue, &message), length);
  }
  answer_with(start, now());
}

#ifdef TWIN_BATCHES
static char slab[batch_bytes];

/// As many as node.mjs puts and gets at once.
static size_t batch_of(size_t length) { return length <= 1024 ? largest_batch : 31; }

static void produce_batches(int queue, size_t length, uint32_t number, uint32_t count) {
  const int64_t start = now();
  for (uint32_t first = 0; first < count;) {
    const size_t left = count - first;
    const size_t some = left < batch_of(length) ? left : batch_of(length);
    for (size_t at = 0; at < some; at++) {
      number_message(length, number, first + (uint32_t)at);
      memcpy(slab + at * length, message.bytes, length);
    }
    queue_send_many(queue, slab, length, some);
    first += (uint32_t)some;
  }
  answer_with(start, now());
}

static void consume_batches(int queue, size_t length, uint32_t count) {
  struct part parts[largest_batch];
  memset(next_of, 0, sizeof next_of);
  answer_ready();
  const int64_t start = now();
  for (uint32_t received = 0; received < count;) {
    const size_t left = count - received;
    const size_t most = left < batch_of(length) ? left : batch_of(length);
    const size_t some = queue_receive_many(queue, slab, parts, most);
    for (size_t at = 0; at < some; at++) {
      memcpy(message.bytes, slab + parts[at].offset, parts[at].length);
      check_message(parts[at].length, length);
    }
    received += (uint32_t)some;
  }
  answer_with(start, now());
}
#endif

static void ping(int there, int back, size_t length, uint32_t count) {
  int64_t* times = malloc(count * sizeof *times);
  if (times == NULL) give_up("malloc");
  memset(next_of, 0, sizeof next_of);
  for (uint32_t sequence = 0; sequence < count; sequence++) {
    number_message(length, 0, sequence);
    const int64_t start = now();
    queue_send(there, &message, length);
    const size_t received = queue_receive(back, &message);
    times[sequence] = now() - start;
    check_message(received, length);
  }
  sort_times(times, count);
  answer_with(times[count / 2], times[count / 100 * 99]);
  free(times);
}

static void pong(int there, int back, uint32_t count) {
  answer_ready();
  for (uint32_t sequence = 0; sequence < count; sequence++) {
    queue_send(back, &message, queue_receive(there, &message));
  }
  answer_with(0, 0);
}

int main(int count, char** values) {
  if (count < 5) {
    fprintf(stderr, "usage: twin ROLE BYTES NUMBER ADDRESS [ADDRESS]\n");
    return 2;
  }
  const char* role = values[1];
  const size_t length = strtoul(values[2], NULL, 10);
  const uint32_t number = (uint32_t)strtoul(values[3], NULL, 10);
  if (length < 12 || length > largest_message || number >= most_producers) return 2;
  const int first = queue_open(values[4]);
  const int second = count > 5 ? queue_open(values[5]) : first;
  for (uint64_t round; next_round(&round);) {
    const uint32_t messages = (uint32_t)round;
    if (strcmp(role, "produce") == 0) produce(first, length, number, messages);
    if (strcmp(role, "consume") == 0) consume(first, length, messages);
#ifdef TWIN_BATCHES
    if (strcmp(role, "produce-batches") == 0) produce_batches(first, length, number, messages);
    if (strcmp(role, "consume-batches") == 0) consume_batches(first, length, messages);
#endif
    if (strcmp(role, "ping") == 0) ping(first, second, length, messages);
    if (strcmp(role, "pong") == 0) pong(first, second, messages);
  }
  return 0;
}
