// Stops a victim before an instruction instead of killing it, and lets a peer work meanwhile.
#ifndef IPCKIT_CRASH_PAUSED_H
#define IPCKIT_CRASH_PAUSED_H

#include "victim.h"

typedef struct pauses {
  unsigned long held;    // calls of the peer that said IPCKIT_E_HELD
  unsigned long spared;  // calls that would have, and were not made: each takes 0.6 s
  unsigned long late;    // operations of a victim that said so, having waited while it was stopped
} pauses;
extern pauses paused;

// The victim stops before instruction `at`, the peer does `calls` operations, the victim goes on to its end;
// then all messages are accounted for. One in `hold_every` calls is made although the victim holds the lock
// that it needs. Returns how many instructions the victim had done when it was stopped.
long run_paused(const operation* op, enum state state, long at, int calls, unsigned hold_every);

#endif
