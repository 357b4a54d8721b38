// The bytes of a queue in shared memory, for programs that look at one from outside and for the library
// itself. Everything is an index or a number, never a pointer; integers have the byte order of the machine,
// which the header states. docs/shm-queue.md tells how the words are used; a change here is a change of
// IPCKIT_LAYOUT_VERSION.
//
//   0     +-------------------------------+
//         | identity                  512 |  magic, version, id, geometry, type: written once, before the
//         name exists
//   512   | state   recovery              |  one 128-byte line each, so that
//   768   | producers   tail   tails      |  one producer and one consumer
//   1152  | consumers   freed   lists     |  meet only where they must
//   1536  | items   space   tasks         |  three places to wait at
//   4096  +-------------------------------+
//         | participants           n*128  |  who is attached
//         | cells                  n*128  |  one message each: truth word, then what it says
//         | rings     priorities*ring*4   |  cell numbers, from producers to consumers, per priority
//         | free cells             ring*4 |  cell numbers, from consumers back to producers
//         | heaps                4*n*4    |  returned, delayed, leased, dead: cell numbers under the
//         consumers' lock | free blocks            ring*4 |  block numbers, from consumers back to producers
//         | links                  n*4    |  the block after this one in a message
//         | marks                  n/8    |  scratch of a recovery
//         | blocks           n*blockBytes |  payload that does not fit into its cell
//         +-------------------------------+
//
// Every section starts at a multiple of 128 bytes, the blocks at a multiple of 4096.
#ifndef IPCKIT_LAYOUT_H
#define IPCKIT_LAYOUT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPCKIT_LAYOUT_MAGIC 0x71746b6370690d0aULL      /* "\n\ripcktq" in memory of a little-endian machine */
#define IPCKIT_LAYOUT_SYNC_MAGIC 0x73746b6370690d0aULL /* the same with "s": an object of <ipckit/sync.h> */
#define IPCKIT_LAYOUT_VERSION 0x00010000U /* major in the upper half; readers refuse another major */
#define IPCKIT_LAYOUT_ORDER 0x01020304U
#define IPCKIT_LAYOUT_LINE 128
#define IPCKIT_LAYOUT_INLINE 80
#define IPCKIT_LAYOUT_PRIORITIES 16
#define IPCKIT_LAYOUT_HEAPS 4
#define IPCKIT_LAYOUT_NONE 0xffffffffU

/* Where the liveness locks lie in the file: byte IPCKIT_LAYOUT_LOCKS + slot, far past any end. */
#define IPCKIT_LAYOUT_LOCKS 0x4000000000000000LL

/* States of the queue, in `state`. */
#define IPCKIT_STATE_OPEN 1U
#define IPCKIT_STATE_DRAIN 2U   /* no more puts; gets until it is empty */
#define IPCKIT_STATE_STOPPED 3U /* neither puts nor gets */
#define IPCKIT_STATE_CORRUPT 4U

/* The truth about a message: state | owner | delivery | generation, from the top bit down. */
#define IPCKIT_TRUTH_STATE_SHIFT 61 /* 3 bits */
#define IPCKIT_TRUTH_OWNER_SHIFT 51 /* 10 bits: slot of the writer or of the holder */
#define IPCKIT_TRUTH_DELIVERY_SHIFT                                                                         \
  36                                    /* 15 bits: how often it was handed out; stays at its largest value \
                                         */
#define IPCKIT_TRUTH_GENERATION_BITS 36 /* grows with every use of the cell and with every redelivery */

#define IPCKIT_CELL_FREE 1U
#define IPCKIT_CELL_WRITING 2U
#define IPCKIT_CELL_READY 3U
#define IPCKIT_CELL_TAKEN 4U
#define IPCKIT_CELL_DEAD 5U

/* Word of a participant: epoch in the upper 30 bits, one of these in the lower two. */
#define IPCKIT_SLOT_FREE 0U
#define IPCKIT_SLOT_USED 1U

typedef struct ipckit_layout_participant {
  uint32_t word; /* epoch << 2 | IPCKIT_SLOT_*; used only while the owner holds its byte of the file locked */
  uint32_t pid;  /* in the owner's PID namespace: for people, never for decisions */
  uint32_t roles;   /* IPCKIT_ROLE_*, what it has done so far */
  uint32_t leases;  /* what it holds, for people */
  uint64_t since;   /* CLOCK_REALTIME in ns */
  char name[32];    /* zero-terminated */
  uint32_t waiting; /* objects of <ipckit/sync.h>: how many waits of its go on */
  uint8_t unused[128 - 60];
} ipckit_layout_participant_t;

typedef struct ipckit_layout_cell {
  uint64_t truth;
  uint64_t seq;      /* order among equal priorities; 1 is the first message of the queue */
  uint64_t ready_at; /* READY: CLOCK_MONOTONIC ns before which nobody gets it, 0 for at once */
  uint64_t
      until; /* TAKEN: CLOCK_MONOTONIC ns at which the lease ends, 0 for never; DEAD: order of giving up */
  uint32_t length;     /* of the payload */
  uint32_t block;      /* first block, when the length is above IPCKIT_LAYOUT_INLINE */
  uint32_t heap_index; /* where it stands in its heap */
  uint8_t priority;
  uint8_t reason; /* DEAD: IPCKIT_DEAD_* */
  uint8_t unused[2];
  uint8_t payload[IPCKIT_LAYOUT_INLINE];
} ipckit_layout_cell_t;

/* How every file of ours begins. */
typedef struct ipckit_layout_start {
  uint64_t magic;
  uint32_t version;
  uint32_t byte_order;
  uint64_t id[2]; /* random: an object made anew under the same name has another */
  uint64_t total_bytes;
} ipckit_layout_start_t;

typedef struct ipckit_layout_identity {
  ipckit_layout_start_t start;
  uint64_t max_message_bytes;
  uint64_t capacity_bytes;
  uint32_t capacity; /* messages that were put and not yet acknowledged */
  uint32_t dead_capacity;
  uint32_t cells; /* capacity + dead_capacity */
  uint32_t priorities;
  uint32_t participants;
  uint32_t blocks;
  uint32_t block_bytes;
  uint32_t copy_outside_bytes; /* longer payloads are copied while no lock is held */
  uint32_t max_deliveries;     /* 0: no limit */
  uint32_t flags;              /* IPCKIT_QUEUE_JOINABLE */
  uint64_t created;            /* CLOCK_REALTIME in ns */
  uint64_t fingerprint;        /* of the type of the messages; 0: any */
  char type_name[128];
  uint64_t checksum; /* FNV-1a of the identity with version and checksum 0 */
  uint8_t unused[512 - 248];
} ipckit_layout_identity_t;

/* A place to wait at. `event` is odd and grows by two; `armed` is the event that somebody waits for, or 0. */
typedef struct ipckit_layout_wait {
  uint32_t event;
  uint32_t armed;
  uint32_t armed_large; /* space: somebody waits for blocks, so everyone must be woken */
  uint8_t unused[128 - 12];
} ipckit_layout_wait_t;

typedef struct ipckit_layout_header {
  ipckit_layout_identity_t identity;

  uint32_t state;
  uint8_t state_unused[124];

  uint32_t recovery_lock;
  uint32_t recovery_unused1;
  uint64_t recoveries;
  uint64_t swept; /* CLOCK_MONOTONIC ns of the last look at all participants: a hint */
  uint8_t recovery_unused[104];

  /* Under the producers' lock. */
  uint32_t producer_lock;
  uint32_t writing; /* cells in WRITING */
  uint32_t free_head;
  uint32_t block_head;
  uint64_t next_seq; /* messages ever put + 1 */
  uint64_t done_seen;
  uint32_t free_seen;
  uint32_t block_seen;
  uint8_t producer_unused[88];
  uint32_t tail; /* of priority 0, alone: the usual case shares nothing else */
  uint8_t tail_unused[124];
  uint32_t tails[IPCKIT_LAYOUT_PRIORITIES]; /* of the others */
  uint8_t tails_unused[64];

  /* Under the consumers' lock. */
  uint32_t consumer_lock;
  uint32_t tail_seen;
  uint32_t heads[IPCKIT_LAYOUT_PRIORITIES];
  uint8_t consumer_unused[56];
  uint64_t done; /* messages ever acknowledged or given up: next_seq - 1 - done are pending */
  uint32_t free_tail;
  uint32_t block_tail;
  uint8_t freed_unused[112];
  uint32_t heap_counts[IPCKIT_LAYOUT_HEAPS];
  uint32_t taken; /* cells in TAKEN */
  uint32_t lists_unused1;
  uint64_t deaths; /* messages ever given up */
  uint64_t redeliveries;
  uint64_t expiries;
  uint64_t dropped; /* dead letters that had to go, and messages that clear removed */
  uint8_t lists_unused[72];

  ipckit_layout_wait_t items; /* something to get */
  ipckit_layout_wait_t space; /* room to put */
  ipckit_layout_wait_t tasks; /* nothing pending */

  uint8_t unused[4096 - 1920];
} ipckit_layout_header_t;

#ifdef __cplusplus
}
#endif

#endif
