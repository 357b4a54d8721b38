// A crash-safe queue in shared memory: named, bounded, many producers and consumers, acknowledged delivery.
// Any participant may be killed at any instruction and the others go on; docs/shm-queue.md says why.
//
// Every call returns a value >= 0, or a negative errno, or one of IPCKIT_E_* (negative as well). A handle may
// be used by several threads at once, except that ipckit_queue_close must be the last call. A handle does not
// survive fork(2): in the child every call but close gives IPCKIT_E_FORKED, and the child opens the queue
// itself.
// -EBADF says that somebody scribbled over the handle's place in the queue: it is of no use any more.
//
//   ipckit_queue_t *jobs;
//   int e = ipckit_queue_open("/jobs", NULL, NULL, &jobs);
//   ...
//   ipckit_message_t message;
//   int64_t n = ipckit_queue_lease(jobs, buffer, sizeof buffer, &message, 0, IPCKIT_FOREVER);
//   if (n >= 0) { work(buffer, n); ipckit_queue_ack(jobs, &message.token); }
#ifndef IPCKIT_QUEUE_H
#define IPCKIT_QUEUE_H

#include "ipckit/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of ipckit_queue_options_t. */
#define IPCKIT_QUEUE_JOINABLE 1U  /* create: get holds a task until task_done */
#define IPCKIT_QUEUE_ANY_OWNER 2U /* open: trust whoever owns the file */
#define IPCKIT_QUEUE_ANY_MODE 4U  /* open: accept a file that everyone may write to */

/* Why a message was given up. */
#define IPCKIT_DEAD_REJECTED 1U
#define IPCKIT_DEAD_DELIVERIES 2U

/* What to wait for. */
#define IPCKIT_WAIT_ITEMS 1U /* something to get */
#define IPCKIT_WAIT_SPACE 2U /* room to put */
#define IPCKIT_WAIT_TASKS 4U /* nothing pending */
#define IPCKIT_WAIT_WORDS 3

typedef struct ipckit_queue ipckit_queue_t;

/* Fill with zeros, then set what differs from the default. */
typedef struct ipckit_queue_options {
  const char* directory;   /* where the file lies; default "/dev/shm" */
  uint32_t capacity;       /* create: messages put and not yet acknowledged, 1 to 2^24; default 1024 */
  uint32_t dead_capacity;  /* create: dead letters kept, 0 to 2^24, the oldest goes first; default 0: none */
  uint64_t capacity_bytes; /* create: payload in all, each above 80 B rounded up to blocks; default by the two
                              others */
  uint64_t max_message_bytes;  /* create: up to 256 MiB; default 8192, at most capacity_bytes */
  uint32_t block_bytes;        /* create: a power of two, 64 to 65536; default by the largest message */
  uint32_t copy_outside_bytes; /* create: longer payloads are copied without a lock; default 4096 */
  uint32_t priorities;         /* create: 1 to 16; default 10: 0 to 9, the highest is delivered first */
  uint32_t participants;       /* create: handles at a time, 2 to 1024; default 256 */
  uint32_t max_deliveries;     /* create: then it is given up; default 0: never */
  uint32_t mode;               /* create: permission bits, whatever the umask; default 0600 */
  uint32_t flags;              /* IPCKIT_QUEUE_* */
  uint32_t prefetch;           /* leases this handle may hold; default 0: as many as there are */
  uint64_t fingerprint;        /* of the type of the messages; 0 accepts any */
  const char* type_name;       /* create: told to those who are refused, up to 127 bytes of it */
  const char* participant;     /* up to 31 bytes, shown by stat */
} ipckit_queue_options_t;

/* Names one delivery of one message; an ack, nack, extend or reject of an earlier delivery changes nothing.
 */
typedef struct ipckit_token {
  uint64_t truth;
  uint64_t seq;
  uint32_t cell;
  uint32_t epoch;
} ipckit_token_t;

/* What comes with a payload. */
typedef struct ipckit_message {
  uint64_t offset; /* get_many, lease_many: where it starts in the slab */
  uint64_t length; /* of the payload; with -EMSGSIZE the room it needs */
  uint64_t seq;    /* grows by one with each put into the queue */
  uint32_t priority;
  uint32_t delivery_count; /* 1 the first time */
  uint32_t redelivered;    /* 1 when delivery_count is above 1 */
  uint32_t reason;         /* get_dead: IPCKIT_DEAD_* */
  ipckit_token_t token;    /* lease: for ack and friends */
} ipckit_message_t;

/* One message of put_many. */
typedef struct ipckit_slice {
  const void* data;
  size_t length;
  uint32_t priority;
} ipckit_slice_t;

typedef struct ipckit_queue_stat {
  uint64_t id[2];
  uint64_t depth; /* ready to get, delayed ones among them */
  uint64_t delayed;
  uint64_t in_flight; /* leased and not yet acknowledged */
  uint64_t dead;      /* dead letters kept */
  uint64_t total_put;
  uint64_t total_done; /* acknowledged, given up or cleared */
  uint64_t total_redelivered;
  uint64_t total_expired;
  uint64_t total_dead;
  uint64_t total_dropped;
  uint64_t recoveries;
  uint64_t capacity;
  uint64_t capacity_bytes;
  uint64_t free_bytes; /* of the blocks */
  uint64_t max_message_bytes;
  uint64_t size_bytes; /* of the file */
  uint64_t created;    /* CLOCK_REALTIME in ns */
  uint64_t fingerprint;
  char type_name[128];
  uint32_t dead_capacity;
  uint32_t priorities;
  uint32_t max_deliveries;
  uint32_t state; /* IPCKIT_STATE_* of <ipckit/layout.h> */
  uint32_t flags;
  uint32_t participants; /* attached now */
  uint32_t max_participants;
  uint32_t owner;
  uint32_t mode;
  uint32_t unlinked; /* 1 when the name is gone */
} ipckit_queue_stat_t;

/* Names: 1 to 200 bytes, with or without a leading '/', and no other '/'. */
IPCKIT_API int ipckit_queue_create(const char* name, const ipckit_queue_options_t* options,
                                   ipckit_refusal_t* refusal, ipckit_queue_t** queue);
IPCKIT_API int ipckit_queue_open(const char* name, const ipckit_queue_options_t* options,
                                 ipckit_refusal_t* refusal, ipckit_queue_t** queue);
/* 1 when it was created, 0 when it was there. */
IPCKIT_API int ipckit_queue_open_or_create(const char* name, const ipckit_queue_options_t* options,
                                           ipckit_refusal_t* refusal, ipckit_queue_t** queue);
/* Gives back what the handle had leased, leaves, and frees the handle. */
IPCKIT_API int ipckit_queue_close(ipckit_queue_t* queue);
/* Removes the name; those who are attached go on. `directory` may be NULL. */
IPCKIT_API int ipckit_queue_unlink(const char* name, const char* directory);

/* Once one returned 0 the message is delivered to at least one consumer. try_put gives -EAGAIN when the queue
   is full; the others wait and give -ETIMEDOUT. -EMSGSIZE above the largest message, -EINVAL for a priority
   too high. */
IPCKIT_API int ipckit_queue_put(ipckit_queue_t* queue, const void* data, size_t length, uint32_t priority,
                                int64_t timeout_ns);
IPCKIT_API int ipckit_queue_try_put(ipckit_queue_t* queue, const void* data, size_t length,
                                    uint32_t priority);
/* As many as there is room for, at least one; returns how many of the first ones. */
IPCKIT_API int64_t ipckit_queue_put_many(ipckit_queue_t* queue, const ipckit_slice_t* slices, size_t count,
                                         int64_t timeout_ns);

/* Takes the next message for good and returns its length. `message` may be NULL. -EMSGSIZE leaves it where it
   is and tells its length. */
IPCKIT_API int64_t ipckit_queue_get(ipckit_queue_t* queue, void* buffer, size_t size,
                                    ipckit_message_t* message, int64_t timeout_ns);
IPCKIT_API int64_t ipckit_queue_try_get(ipckit_queue_t* queue, void* buffer, size_t size,
                                        ipckit_message_t* message);
/* Up to `count` messages that fit into the slab, each starting at a multiple of 8; waits for the first. */
IPCKIT_API int64_t ipckit_queue_get_many(ipckit_queue_t* queue, void* slab, size_t size,
                                         ipckit_message_t* messages, size_t count, int64_t timeout_ns);

/* The same, but the message stays the queue's until it is acknowledged: it is delivered again when the holder
   dies, gives it back, or when `lease_ns` have passed (0: no limit). */
IPCKIT_API int64_t ipckit_queue_lease(ipckit_queue_t* queue, void* buffer, size_t size,
                                      ipckit_message_t* message, int64_t lease_ns, int64_t timeout_ns);
IPCKIT_API int64_t ipckit_queue_lease_many(ipckit_queue_t* queue, void* slab, size_t size,
                                           ipckit_message_t* messages, size_t count, int64_t lease_ns,
                                           int64_t timeout_ns);
IPCKIT_API int ipckit_queue_ack(ipckit_queue_t* queue, const ipckit_token_t* token);
/* Returns how many; stale ones are passed over. */
IPCKIT_API int64_t ipckit_queue_ack_many(ipckit_queue_t* queue, const ipckit_token_t* tokens, size_t count);
/* Gives it back, to be delivered again at its old place, at once or after a while. */
IPCKIT_API int ipckit_queue_nack(ipckit_queue_t* queue, const ipckit_token_t* token, int64_t delay_ns);
/* The lease ends `lease_ns` from now; 0: it has no end. */
IPCKIT_API int ipckit_queue_extend(ipckit_queue_t* queue, const ipckit_token_t* token, int64_t lease_ns);
/* Gives it up: it becomes a dead letter. */
IPCKIT_API int ipckit_queue_reject(ipckit_queue_t* queue, const ipckit_token_t* token);

/* Copies the next message and leaves it; -EAGAIN when there is none. */
IPCKIT_API int64_t ipckit_queue_peek(ipckit_queue_t* queue, void* buffer, size_t size,
                                     ipckit_message_t* message);
/* Takes the oldest dead letter; -EAGAIN when there is none. */
IPCKIT_API int64_t ipckit_queue_get_dead(ipckit_queue_t* queue, void* buffer, size_t size,
                                         ipckit_message_t* message);

/* A joinable queue: a message got with get is a task of this handle until task_done, which ends the oldest
   one; tasks of the dead are delivered again. join waits until nothing is pending. */
IPCKIT_API int ipckit_queue_task_done(ipckit_queue_t* queue);
IPCKIT_API int ipckit_queue_join(ipckit_queue_t* queue, int64_t timeout_ns);

/* No more puts; gets go on until the queue is empty (drain), or not (immediate). Wakes everyone, everywhere.
 */
IPCKIT_API int ipckit_queue_shutdown(ipckit_queue_t* queue, int immediate);
/* Removes every message that nobody holds, and returns how many. */
IPCKIT_API int64_t ipckit_queue_clear(ipckit_queue_t* queue);

IPCKIT_API int ipckit_queue_stat(ipckit_queue_t* queue, ipckit_queue_stat_t* stat);
/* 1 when the name is gone, 0 when it is there. */
IPCKIT_API int ipckit_queue_is_unlinked(ipckit_queue_t* queue);
/* Fills up to `count` entries and returns how many are attached. */
IPCKIT_API int ipckit_queue_participants(ipckit_queue_t* queue, ipckit_participant_t* participants,
                                         size_t count);

/* Looks for at most `longest_ns`, without sleeping, whether a message (IPCKIT_WAIT_ITEMS) or room for one of
   `length` bytes (IPCKIT_WAIT_SPACE) came, as waiting calls do before they sleep: 1 when a try may succeed, 0
   when nothing came, -EBUSY when looking does not pay at present, as on one processor. */
IPCKIT_API int ipckit_queue_poll(ipckit_queue_t* queue, uint32_t interest, uint64_t length,
                                 int64_t longest_ns);
/* For event loops that wait for many queues with one thread. Announces the wait, looks again, and returns 0
   when the caller should try instead; otherwise the number of words to wait on, filled in. Wait no longer
   than `bound_ns`, then call ipckit_queue_sweep and arm again. `length` is that of the message for which
   space is wanted. */
IPCKIT_API int ipckit_queue_arm(ipckit_queue_t* queue, uint32_t interest, uint64_t length,
                                ipckit_wait_word_t words[IPCKIT_WAIT_WORDS], int64_t* bound_ns);
/* Says that a wait ended without a try, so that a wake-up meant for it reaches another waiter. */
IPCKIT_API int ipckit_queue_disarm(ipckit_queue_t* queue, uint32_t interest);
/* Brings back what dead participants held; returns 1 when there were any. Waiting calls do so by themselves.
 */
IPCKIT_API int ipckit_queue_sweep(ipckit_queue_t* queue);

/* Compares every index with the truth words: 0, or IPCKIT_E_CORRUPT. For tests and doctors. */
IPCKIT_API int ipckit_queue_verify(ipckit_queue_t* queue);

#ifdef __cplusplus
}
#endif

#endif
