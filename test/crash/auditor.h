// Looks at what a victim left, or did while somebody else worked: every message is where it must be, and the
// queue as good as new.
#ifndef IPCKIT_CRASH_AUDITOR_H
#define IPCKIT_CRASH_AUDITOR_H

#include "victim.h"

typedef struct finding {
  int count;  // how often it was in the queue
  int dead;   // and among the dead letters
  uint32_t delivery_count;
} finding;

// By number, after `empty_queue`.
extern finding found[1001];
extern int64_t slowest;  // call of a survivor

// Each call of a survivor must come back within two seconds. Returns what it took.
int64_t timed(int64_t started);

// As the first to come afterwards: an ordinary operation, a look around, and then everything is taken out.
// Messages of a producer must come in the order of their numbers; `one_by_one`: those of all producers. False
// when the queue failed.
bool empty_queue(const operation* op, bool one_by_one);
// The queue is empty now; it must be as good as new.
void judge_space(void);

// The operation was cut short, or done, and then the victim was killed.
void audit_death(const operation* op, enum state state, const ledger* says, int messages);

#endif
