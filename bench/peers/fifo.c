// The twin's queue: records in a FIFO (docs/layout.md), as a C program that is the only reader and the only
// writer of small records needs them: no lock, one write(2) a record, and as much as there is in one read(2).
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "twin.h"

static char buffer[65536 + largest_message];
static size_t begin, end;

static uint32_t check_of(uint32_t length) { return (length ^ 0x4b435049u) * 0x9e3779b1u; }

int queue_open(const char* address) {
  const int queue = open(address, O_RDWR | O_CLOEXEC);
  if (queue < 0) give_up("open");
  return queue;
}

void queue_send(int queue, const struct message* message, size_t length) {
  const uint32_t header[2] = {(uint32_t)length, check_of((uint32_t)length)};
  const uint32_t tail[3] = {~header[1], 0, 0};
  const size_t padding = (8 - (length + 12) % 8) % 8;
  const struct iovec pieces[3] = {
      {(void*)header, 8}, {(void*)message->bytes, length}, {(void*)tail, 4 + padding}};
  if (writev(queue, pieces, 3) != (ssize_t)(length + 12 + padding)) give_up("writev");
}

static void need(int queue, size_t bytes) {
  while (end - begin < bytes) {
    if (begin > 0) memmove(buffer, buffer + begin, end - begin);
    end -= begin;
    begin = 0;
    const ssize_t size = read(queue, buffer + end, sizeof buffer - end);
    if (size <= 0) give_up("read");
    end += (size_t)size;
  }
}

size_t queue_receive(int queue, struct message* message) {
  uint32_t header[2];
  need(queue, 8);
  memcpy(header, buffer + begin, 8);
  const size_t length = header[0];
  if (header[1] != check_of(header[0]) || length > largest_message) give_up("record");
  const size_t total = (length + 12 + 7) & ~(size_t)7;
  need(queue, total);
  memcpy(message->bytes, buffer + begin + 8, length);
  begin += total;
  return length;
}
