// The C structure that the peers exchange through shared memory: a field of every kind, in natural alignment
// and the byte order of the machine; and a record as it comes from a network, packed and big-endian.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipckit_point {
  float x;
  double y;
};

struct ipckit_block {
  int8_t a;
  uint8_t b;
  int16_t c;
  uint16_t d;
  int32_t e;
  uint32_t f;
  int64_t g;
  uint64_t h;
  float i;
  double j;
  bool k;
  char l[7];  // UTF-8, filled up with NUL
  uint8_t m[3];
  float n[3];
  struct ipckit_point o;
  struct ipckit_point p[2];
  int32_t q[2][2];
  _Atomic uint32_t hits;   // counted up by all, one at a time
  _Atomic uint64_t total;  // likewise
  uint32_t lossy;          // counted up without care
};

struct __attribute__((packed)) ipckit_packet {
  uint8_t kind;
  uint32_t length;  // big-endian
  uint64_t stamp;   // big-endian
};

struct ipckit_shared {
  struct ipckit_block block;
  struct ipckit_packet packet;
};

_Static_assert(sizeof(struct ipckit_point) == 16, "y follows four bytes of padding");
_Static_assert(offsetof(struct ipckit_block, o) == 72, "o");
_Static_assert(offsetof(struct ipckit_block, hits) == 136, "hits");
_Static_assert(sizeof(struct ipckit_block) == 160, "the block");
_Static_assert(sizeof(struct ipckit_packet) == 13, "no padding");
