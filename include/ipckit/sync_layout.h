// The bytes of a synchronisation object in shared memory, for programs that look at one from outside and for
// the library itself. As in <ipckit/layout.h>: indices and numbers, never a pointer, in the byte order of the
// machine. docs/sync-core.md tells how the words are used.
//
//   0     +-------------------------------+
//         | identity                  512 |  magic, version, id, kind, sizes, type: written once, before the
//         |                               |  name exists
//   512   | state                         |
//   640   | guard, recoveries, swept      |  one 128-byte line each
//   768   | lock: owner, line, death      |  Lock, RLock, Condition, Value; the notice of a death: RWLock too
//   896   | who died                      |
//   1024  | event                         |  Event
//   1152  | room                          |  under the guard: Semaphore, RWLock, Condition, Barrier
//   4096  +-------------------------------+
//         | participants           n*128  |  who is attached, and what each holds
//         | waiters                 n*64  |  who waits, each at a word of its own
//         | bytes                         |  of a Value
//         +-------------------------------+
//
// Every section starts at a multiple of 128 bytes.
#ifndef IPCKIT_SYNC_LAYOUT_H
#define IPCKIT_SYNC_LAYOUT_H

#include "ipckit/layout.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ipckit_layout_sync_identity {
  ipckit_layout_start_t start;
  uint32_t kind; /* IPCKIT_KIND_* of <ipckit/error.h> */
  uint32_t participants;
  uint32_t waiters;
  uint32_t limit;   /* first value of a semaphore, parties of a barrier */
  uint64_t bytes;   /* of a value */
  uint64_t created; /* CLOCK_REALTIME in ns */
  uint64_t fingerprint;
  char type_name[128];
  uint64_t checksum; /* FNV-1a of the identity with version and checksum 0 */
  uint8_t unused[512 - 216];
} ipckit_layout_sync_identity_t;

/* State of a waiter, in the lower three bits of its word. */
#define IPCKIT_WAITER_WAITS 1U
#define IPCKIT_WAITER_NOTIFIED 2U /* condition: it may go; semaphore, rwlock: it should try */
#define IPCKIT_WAITER_CALLED 3U   /* condition: it may go, as everybody else */
#define IPCKIT_WAITER_TURN 4U     /* barrier: the last to come, whose action it is */
#define IPCKIT_WAITER_PASSED 5U   /* barrier */
#define IPCKIT_WAITER_BROKEN 6U   /* barrier */
#define IPCKIT_WAITER_STATE 7U
#define IPCKIT_WAITER_STEP 8U /* added with each change of the state, so that no sleeper misses one */

typedef struct ipckit_layout_waiter {
  uint32_t word; /* at which it sleeps: steps and state */
  uint32_t
      owner; /* who waits, as owner of a lock; 0: the place is free. Written last, and first taken back */
  uint64_t ticket;     /* order of coming */
  uint64_t since;      /* CLOCK_MONOTONIC ns */
  uint64_t seen;       /* the same, when it last looked: who does not look is not waited for */
  uint32_t wants;      /* semaphore: permits; rwlock: IPCKIT_WANTS_* */
  uint32_t generation; /* barrier */
  uint32_t index;      /* barrier: 0 to parties - 1 */
  uint32_t unused;
  uint64_t heir; /* condition: ticket of the waiter to whom a dead one's notice was passed */
  uint8_t unused2[64 - 56];
} ipckit_layout_waiter_t;

#define IPCKIT_WANTS_SHARED 1U
#define IPCKIT_WANTS_EXCLUSIVE 2U

/* `died`. */
#define IPCKIT_DIED_UNTOLD 1U /* the next holder is told */
#define IPCKIT_DIED_TOLD 2U   /* rwlock: a reader was told, and holds on; should it die, another is told */

/* Bit of `event`; the others count how often it was set. */
#define IPCKIT_EVENT_SET 1U

/* What a barrier is about to do to everyone, in the lower two bits of `journal`; the others are the
   generation. 0: nothing. */
#define IPCKIT_BARRIER_PASSES 1U
#define IPCKIT_BARRIER_BREAKS 2U
#define IPCKIT_BARRIER_RESETS 3U

typedef struct ipckit_layout_sync_header {
  ipckit_layout_sync_identity_t identity;

  uint32_t state; /* IPCKIT_STATE_OPEN or IPCKIT_STATE_CORRUPT */
  uint8_t state_unused[124];

  uint32_t guard; /* owner-tagged, as the locks of a queue: held for some hundred nanoseconds */
  uint32_t guard_unused1;
  uint64_t recoveries;
  uint64_t swept; /* CLOCK_MONOTONIC ns of the last look at all participants: a hint */
  uint8_t guard_unused[104];

  uint32_t lock;       /* who holds it, and the bit for sleepers */
  uint32_t died;       /* IPCKIT_DIED_*, or 0 */
  uint32_t line;       /* CLOCK_MONOTONIC ms, never 0, at which somebody last starved; 0: nobody */
  uint32_t contenders; /* how many wait: a hint */
  uint32_t depth;      /* of recursion, for people */
  uint32_t lock_unused1;
  uint64_t since; /* CLOCK_REALTIME ns: when it was acquired, for people */
  uint8_t lock_unused[96];

  uint32_t dead_pid; /* whose death the next holder is told */
  uint32_t told;     /* rwlock: the reader who was told */
  char dead_name[32];
  uint8_t death_unused[88];

  uint32_t event;
  uint32_t event_armed; /* the event that somebody waits for, or 0 */
  uint8_t event_unused[120];

  uint64_t tickets;
  uint32_t high;  /* waiters at this index and above are free */
  uint32_t value; /* semaphore: total - what everybody holds */
  uint32_t total;
  uint32_t writer;  /* rwlock: who holds it exclusively, as owner of a lock */
  uint32_t readers; /* rwlock: what everybody holds */
  uint32_t generation;
  uint32_t broken;
  uint32_t journal;
  uint8_t room_unused[88];

  uint8_t unused[4096 - 1280];
} ipckit_layout_sync_header_t;

#ifdef __cplusplus
}
#endif

#endif
