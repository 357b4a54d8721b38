// The C structure that the peers exchange under --format struct, as a daemon would have it: natural
// alignment, the byte order of the machine. Node and Python describe the same bytes; interop/README.md shows
// all three.
//
//   0        4        8                16               24               32   33    36       40       44   48
//   | id     | (pad)  | px             | sym            | at             |flag| pad | pos[0] | pos[1] | pad |
#pragma once

#include <stddef.h>
#include <stdint.h>

struct ipckit_tick {
  int32_t id;
  double px;
  char sym[8];  // UTF-8, filled up with NUL; all eight bytes may be used, and then no NUL ends it
  uint64_t at;  // nanoseconds since 1970, more than a JavaScript number holds
  uint8_t flag;
  float pos[2];
};

// 32-bit x86 aligns double and uint64_t to 4: there the layout is another one, and this says so.
_Static_assert(offsetof(struct ipckit_tick, px) == 8, "px follows four bytes of padding");
_Static_assert(offsetof(struct ipckit_tick, sym) == 16, "sym");
_Static_assert(offsetof(struct ipckit_tick, at) == 24, "at");
_Static_assert(offsetof(struct ipckit_tick, flag) == 32, "flag");
_Static_assert(offsetof(struct ipckit_tick, pos) == 36, "pos follows three bytes of padding");
_Static_assert(sizeof(struct ipckit_tick) == 48, "four bytes of padding at the end");
