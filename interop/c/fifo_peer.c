// Sends and receives messages through a FIFO: the C side of test/interop/fifo.test.ts.
//
//   fifo-peer send PATH SENDER COUNT BYTES    COUNT messages of BYTES bytes, numbered from 0
//   fifo-peer recv PATH COUNT                 takes so many, checks every byte, and prints "SENDER NUMBER
//   BYTES" of each fifo-peer half PATH BYTES                 writes half a record of BYTES bytes, and is
//   killed fifo-peer bite PATH BYTES                 takes so many bytes out of the FIFO, and is killed
//
// A message: its sender and number, 32 bits each, then bytes that follow from both and from their place.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fifo_records.h"

static char message[1 << 21];

static void fail(const char* what, int error) {
  fprintf(stderr, "fifo-peer: %s: %s\n", what, strerror(error));
  exit(1);
}

static char byte_at(uint32_t sender, uint32_t number, size_t at) {
  return (char)(sender * 31 + number * 7 + at + (at >> 8));
}

static void make(uint32_t sender, uint32_t number, size_t length) {
  memcpy(message, &sender, 4);
  memcpy(message + 4, &number, 4);
  for (size_t at = 8; at < length; at++) message[at] = byte_at(sender, number, at);
}

static void check(size_t length) {
  uint32_t sender, number;
  memcpy(&sender, message, 4);
  memcpy(&number, message + 4, 4);
  for (size_t at = 8; at < length; at++) {
    if (message[at] != byte_at(sender, number, at)) fail("a message is torn", EBADMSG);
  }
  printf("%u %u %zu\n", sender, number, length);
}

static unsigned long number_of(const char* text) { return strtoul(text, NULL, 10); }

int main(int count, char** values) {
  if (count < 4) return 2;
  const char* role = values[1];
  const int fifo = fifo_open(values[2]);
  if (fifo < 0) fail("open", -fifo);
  if (strcmp(role, "send") == 0 && count == 6) {
    const size_t length = number_of(values[5]);
    for (uint32_t number = 0; number < number_of(values[4]); number++) {
      make((uint32_t)number_of(values[3]), number, length);
      const int error = fifo_put(fifo, message, length);
      if (error != 0) fail("put", -error);
    }
    // What is in the FIFO goes with the last who has it open.
    struct pollfd reader = {fifo, POLLIN, 0};
    while (poll(&reader, 1, 0) > 0) usleep(1000);
  } else if (strcmp(role, "recv") == 0) {
    for (unsigned long left = number_of(values[3]); left > 0; left--) {
      const ssize_t length = fifo_get(fifo, message, sizeof message);
      if (length < 8) fail("get", length < 0 ? (int)-length : EBADMSG);
      check((size_t)length);
    }
  } else if (strcmp(role, "half") == 0) {
    const size_t length = number_of(values[3]);
    make(0, 0, length);
    // As fifo_put() does not: in two pieces, of which the second never comes.
    const uint32_t header[2] = {(uint32_t)length, ((uint32_t)length ^ 0x4b435049u) * 0x9e3779b1u};
    if (write(fifo, header, 8) != 8 || write(fifo, message, length / 2) != (ssize_t)(length / 2))
      fail("write", errno);
    raise(SIGKILL);
  } else if (strcmp(role, "bite") == 0) {
    if (read(fifo, message, number_of(values[3])) < 0) fail("read", errno);
    raise(SIGKILL);
  } else {
    return 2;
  }
  return 0;
}
