// Locks and friends in shared memory, between unrelated processes, by name: Lock, RLock, RWLock, Semaphore,
// BoundedSemaphore, Condition, Event, Barrier, and bytes with a lock. Any participant may be killed at any
// instruction and the others go on; docs/sync-core.md says why. What all objects share, errors among it, is
// in <ipckit/error.h>.
//
// Every call returns a value >= 0, or a negative errno, or one of IPCKIT_E_* (negative as well). A handle may
// be used by several threads at once, except that ipckit_sync_close must be the last call. A handle does not
// survive fork(2): in the child every call but close gives IPCKIT_E_FORKED, and the child opens the object
// itself.
//
//   ipckit_sync_t *lock;
//   ipckit_sync_options_t options = {.kind = IPCKIT_KIND_LOCK};
//   int e = ipckit_sync_open_or_create("/accounts", &options, NULL, &lock);
//   ...
//   ipckit_wait_t wait = {.operation = IPCKIT_ACQUIRE};
//   if (ipckit_sync_wait(lock, &wait, IPCKIT_FOREVER) == 0) {
//     if (wait.owner_died) repair();
//     work();
//     ipckit_sync_release(lock, 0, 1);
//   }
#ifndef IPCKIT_SYNC_H
#define IPCKIT_SYNC_H

#include "ipckit/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of ipckit_sync_options_t. */
#define IPCKIT_SYNC_ANY_OWNER 2U /* open: trust whoever owns the file */
#define IPCKIT_SYNC_ANY_MODE 4U  /* open: accept a file that everyone may write to */
#define IPCKIT_SYNC_OBSERVER 8U  /* only looks: no party of a barrier, its death breaks none */

typedef struct ipckit_sync ipckit_sync_t;

/* Fill with zeros, then set what differs from the default. */
typedef struct ipckit_sync_options {
  const char* directory;   /* where the file lies; default "/dev/shm" */
  uint32_t kind;           /* IPCKIT_KIND_*; open: what is expected, 0 takes any but a queue */
  uint32_t value;          /* create: of a semaphore, 0 to 2^31 - 1, and bound of a bounded one; parties of a
                              barrier, 1 to 1024. No default */
  uint64_t bytes;          /* of a value, 1 to 2^40; open: 0 takes any, another number must agree
                              (IPCKIT_E_TYPE) */
  uint64_t fingerprint;    /* of the type of a value; 0 takes any */
  const char* type_name;   /* create: told to those who are refused, up to 127 bytes of it */
  const void* initial;     /* create: the first `bytes` of a value; default zeros */
  uint32_t participants;   /* create: handles at a time, 2 to 1024; default 256 */
  uint32_t waiters;        /* create: waits at a time in a rwlock, semaphore, condition or barrier, 1 to 1024;
                              default 1024 */
  uint32_t mode;           /* create: permission bits, whatever the umask; default 0600 */
  uint32_t flags;          /* IPCKIT_SYNC_* */
  const char* participant; /* up to 31 bytes, shown by stat */
} ipckit_sync_options_t;

/* Names: 1 to 200 bytes, with or without a leading '/', and no other '/'. They are the names of queues too:
   what is found under one and is something else is refused with IPCKIT_E_KIND. */
IPCKIT_API int ipckit_sync_create(const char* name, const ipckit_sync_options_t* options,
                                  ipckit_refusal_t* refusal, ipckit_sync_t** sync);
IPCKIT_API int ipckit_sync_open(const char* name, const ipckit_sync_options_t* options,
                                ipckit_refusal_t* refusal, ipckit_sync_t** sync);
/* 1 when it was created, 0 when it was there. */
IPCKIT_API int ipckit_sync_open_or_create(const char* name, const ipckit_sync_options_t* options,
                                          ipckit_refusal_t* refusal, ipckit_sync_t** sync);
/* Gives back what the handle holds (a lock: as a release, so nobody is told of a death; a barrier in which it
   waits: breaks), leaves, and frees the handle. */
IPCKIT_API int ipckit_sync_close(ipckit_sync_t* sync);
/* Leaves as one that died, when the handle holds something or waits, and frees the handle: for a thread or an
   interpreter that is ended in the middle of its work, in a process that lives on. */
IPCKIT_API int ipckit_sync_abandon(ipckit_sync_t* sync);
/* Removes the name; those who are attached go on. `directory` may be NULL. */
IPCKIT_API int ipckit_sync_unlink(const char* name, const char* directory);
/* 1 when the name is gone, 0 when it is there. */
IPCKIT_API int ipckit_sync_is_unlinked(ipckit_sync_t* sync);

/* What a wait is for. */
#define IPCKIT_ACQUIRE 1U        /* lock, rlock, condition, value; rwlock: exclusively; semaphore: permits */
#define IPCKIT_ACQUIRE_SHARED 2U /* rwlock */
#define IPCKIT_WAIT_EVENT 3U
#define IPCKIT_WAIT_CONDITION 4U /* see ipckit_condition_wait */
#define IPCKIT_WAIT_BARRIER 5U

/* One operation that may have to wait: plain memory of the caller, who fills it with zeros and sets
   `operation`, and what else it needs, before each begin or wait. */
typedef struct ipckit_wait {
  uint32_t operation;
  uint32_t count; /* semaphore: permits; rlock, condition, value: levels of recursion; 0 means 1 */
  uint64_t agent; /* rlock, condition, value: who of this handle's process it is, as a thread's number; equal
                     ones may acquire again */
  /* Results. */
  uint32_t owner_died; /* acquire: 1 when the last holder died while it held; told once, to the next holder */
  uint32_t dead_pid;   /* its process, in its own PID namespace; 0 when unknown */
  uint32_t index;      /* barrier: 0 to parties - 1, each once */
  uint32_t state;      /* IPCKIT_WAIT_*: how far it is, when a signal handler jumps out of a call */
  char dead_name[32];  /* what it called itself */
  uint64_t own[6];     /* the library's */
} ipckit_wait_t;

#define IPCKIT_WAIT_NONE 0U  /* not begun, or over without what was wanted */
#define IPCKIT_WAIT_WAITS 1U /* begun: try, sleep or cancel */
#define IPCKIT_WAIT_DONE 2U  /* the caller has what it wanted */

/* Result of begin, try and wait in a barrier: this one came last and everyone waits for its action. Run it,
   then call ipckit_barrier_action_done, or ipckit_sync_cancel when it failed. Without an action call it at
   once. */
#define IPCKIT_BARRIER_ACTION 2

/* The blocking form: -ETIMEDOUT when the time is over; with a timeout of 0 it tries once, -EAGAIN. -EINTR
   when a signal handler ran: nothing was done, call again. */
IPCKIT_API int ipckit_sync_wait(ipckit_sync_t* sync, ipckit_wait_t* wait, int64_t timeout_ns);

/* For event loops that wait for many objects with one thread. begin announces and tries: 0 done, -EAGAIN it
   waits now, or why not. Whoever got -EAGAIN calls try until it says something else, or cancel. */
IPCKIT_API int ipckit_sync_begin(ipckit_sync_t* sync, ipckit_wait_t* wait);
IPCKIT_API int ipckit_sync_try(ipckit_sync_t* sync, ipckit_wait_t* wait);
/* Sleeps and tries until it is done, with the results of try, or for so long: then -ETIMEDOUT, and -EINTR
   when a signal handler ran, and it waits on where it stands. For callers that look around between two
   sleeps. */
IPCKIT_API int ipckit_sync_sleep(ipckit_sync_t* sync, ipckit_wait_t* wait, int64_t timeout_ns);
/* Takes a wait back: 0, also when it was none; or 1 when it was done already, and its result is the caller's;
   or IPCKIT_E_BROKEN. A barrier in which it waited breaks. */
IPCKIT_API int ipckit_sync_cancel(ipckit_sync_t* sync, ipckit_wait_t* wait);
/* Where to sleep: 0, try now; or 1, wait on the word for at most `bound_ns`, then try, or else sweep and arm
   again. From any thread; a copy of `wait` will do, made after the last begin or try. */
IPCKIT_API int ipckit_sync_arm(ipckit_sync_t* sync, const ipckit_wait_t* wait, ipckit_wait_word_t words[1],
                               int64_t* bound_ns);
/* Says that a sleep at a word of arm ended without a try, so that a wake-up meant for it reaches another. */
IPCKIT_API int ipckit_sync_disarm(ipckit_sync_t* sync, const ipckit_wait_t* wait);
/* Brings back what dead participants held, and breaks barriers whose parties died; returns 1 when there were
   any. Waiting calls do so by themselves. */
IPCKIT_API int ipckit_sync_sweep(ipckit_sync_t* sync);

/* Never wait for those who wait. IPCKIT_E_NOT_HELD changes nothing. `count`: permits of a semaphore, levels
   of recursion; 0 means 1. Permits may be released by any handle: its own count down first, then those of
   whoever holds most, then there are more than before. IPCKIT_E_BOUND above the bound, -EOVERFLOW above
   2^31 - 1. */
IPCKIT_API int ipckit_sync_release(ipckit_sync_t* sync, uint64_t agent, uint32_t count);
IPCKIT_API int ipckit_sync_release_shared(ipckit_sync_t* sync);
/* What this handle holds: levels of recursion (of this agent), permits, or for a rwlock 1 exclusively, and 2
   for each time shared. */
IPCKIT_API int64_t ipckit_sync_holds(ipckit_sync_t* sync, uint64_t agent);

/* set wakes everyone who waits, also when clear follows at once. */
IPCKIT_API int ipckit_event_set(ipckit_sync_t* sync);
IPCKIT_API int ipckit_event_clear(ipckit_sync_t* sync);
IPCKIT_API int ipckit_event_is_set(ipckit_sync_t* sync);

/* Releases the lock, whatever its depth, waits for a notice and acquires it again as before, which may take
   longer than the timeout: 0 or -ETIMEDOUT with the lock held. With any other result look at
   ipckit_sync_holds. `wait` tells of a death of the lock's holder; it may be NULL. An event loop does the
   same in steps: begin with IPCKIT_WAIT_CONDITION, release, wait, and IPCKIT_ACQUIRE. */
IPCKIT_API int ipckit_condition_wait(ipckit_sync_t* sync, uint64_t agent, int64_t timeout_ns,
                                     ipckit_wait_t* wait);
/* Wakes the `count` that have waited longest; returns how many there were. The caller should hold the lock.
 */
IPCKIT_API int ipckit_condition_notify(ipckit_sync_t* sync, uint32_t count);

/* Lets everyone through, and ends the caller's own wait. IPCKIT_E_BROKEN when it broke meanwhile. */
IPCKIT_API int ipckit_barrier_action_done(ipckit_sync_t* sync, ipckit_wait_t* wait);
/* Breaks it: who waits and who comes gets IPCKIT_E_BROKEN, until a reset. */
IPCKIT_API int ipckit_barrier_abort(ipckit_sync_t* sync);
/* Who waits gets IPCKIT_E_BROKEN; then it is whole again. */
IPCKIT_API int ipckit_barrier_reset(ipckit_sync_t* sync);

/* The descriptor whose lock says that this handle's owner lives; it stays the library's. Whoever has a
   duplicate of it, dup(2), keeps what the handle holds when this process dies: for a command that is run
   under a lock. */
IPCKIT_API int ipckit_sync_descriptor(ipckit_sync_t* sync);

/* The bytes of a value, at a multiple of 128; NULL for other kinds. */
IPCKIT_API void* ipckit_value_bytes(ipckit_sync_t* sync, size_t* length);

typedef struct ipckit_sync_stat {
  uint64_t id[2];
  uint64_t created;    /* CLOCK_REALTIME in ns */
  uint64_t size_bytes; /* of the file */
  uint64_t fingerprint;
  uint64_t bytes;
  char type_name[128];
  uint32_t kind;        /* IPCKIT_KIND_* */
  uint32_t value;       /* semaphore: free permits; event: 1 when set; barrier: who waits; rwlock: readers */
  uint32_t limit;       /* semaphore: first value, or bound; barrier: parties */
  uint32_t held;        /* lock: levels of recursion; semaphore: permits; rwlock: 1 when exclusively */
  uint32_t holder_slot; /* of the exclusive holder; IPCKIT_LAYOUT_NONE without one */
  uint32_t holder_pid;
  uint64_t held_since; /* CLOCK_REALTIME in ns, to some milliseconds */
  uint32_t waiters;
  uint32_t broken;       /* barrier: 1 when it is */
  uint32_t owner_died;   /* 1 when the next holder will be told of a death */
  uint32_t participants; /* attached now */
  uint32_t max_participants;
  uint32_t owner;
  uint32_t mode;
  uint32_t unlinked; /* 1 when the name is gone */
  uint64_t recoveries;
} ipckit_sync_stat_t;

IPCKIT_API int ipckit_sync_stat(ipckit_sync_t* sync, ipckit_sync_stat_t* stat);
/* Fills up to `count` entries and returns how many are attached. `leases` is what one holds: 1 for a lock,
   permits, times shared; `roles` has IPCKIT_ROLE_WAITER while it waits. */
IPCKIT_API int ipckit_sync_participants(ipckit_sync_t* sync, ipckit_participant_t* participants,
                                        size_t count);
/* What stands at that name, of any kind, without attaching: for lists. Of a queue it tells the kind, the type
   and the file. */
IPCKIT_API int ipckit_sync_look(const char* name, const char* directory, ipckit_sync_stat_t* stat);

/* Compares what is derived with what it is derived from: 0, or IPCKIT_E_CORRUPT. For tests and doctors. */
IPCKIT_API int ipckit_sync_verify(ipckit_sync_t* sync);

#ifdef __cplusplus
}
#endif

#endif
