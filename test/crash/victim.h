// A process that does one operation on a queue, an instruction at a time, and the queue that it does it on.
#ifndef IPCKIT_CRASH_VICTIM_H
#define IPCKIT_CRASH_VICTIM_H

#include <stdbool.h>
#include <stdint.h>

#include "ipckit/queue.h"
#include "ring/queue.h"
#include "tracee.h"

#define CAPACITY 4
#define CAPACITY_BYTES ((CAPACITY + 2) * 320)
#define LARGEST 400
#define OUTSIDE 128

enum state { EMPTY, ONE, HALF, ALMOST_FULL, FULL, WRAPPED, DEAD_OWNER, STATES };
extern const char* const state_names[STATES];

// What the victim says about itself, in memory that only it writes.
typedef struct ledger {
  progress at;
  volatile int64_t result;
  volatile int ids[8];  // what it took, or put
  volatile int held;    // id that it held before the operation began, or 0
} ledger;

typedef struct victim {
  tracee traced;
  ledger* says;
} victim;

// What it does.
enum kind { PUTS, GETS, LEASES, ACKS, RETURNS, REJECTS, CLEARS, NOTHING };
typedef struct operation {
  const char* name;
  enum kind kind;
  void (*prepare)(ipckit_queue_t*, ledger*);
  void (*run)(ipckit_queue_t*, ledger*);
  bool attached;  // it opens the queue before the operation begins
} operation;

enum { OPERATIONS = 18 };
extern const operation operations[OPERATIONS];
extern const operation* const attaching;
extern const operation* const recovering;

extern char name[64];
extern ledger* ledgers;  // of two victims
extern ipckit_queue_t* survivor;

// Messages: the body follows from the number.
size_t size_of(int id);
// The number of the message, or -1 when it is torn.
int read_message(const uint8_t* buffer, int64_t length);
int put_message(ipckit_queue_t* q, int id);
void write_bodies(void);

// Makes the queue and opens `survivor`. Returns how many messages stand in it; they are numbered from 1.
int arrange(enum state state);
// A process that leased the first message, holds both locks and is dead.
void leave_a_dead_owner(void);

// Starts a victim and returns when it stands before its operation.
victim start(const operation* op, int number);
// In a queue that was arranged so: whoever attaches recovers, so the victim stands ready before there is a
// dead owner.
victim start_in(enum state state, const operation* op);
#endif
