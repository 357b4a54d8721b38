// What the files of the queue share: the handle, the order of the locks, and the words that each side may
// touch.
//
// Locks, in the order in which they may be taken: recovery, producers, consumers. An operation holds one of
// the last two; shutdown, clear, close and recovery hold both. While one is held nothing may block and
// nothing may be recovered: who meets a dead owner lets go of everything first.
#ifndef IPCKIT_RING_QUEUE_H
#define IPCKIT_RING_QUEUE_H

#include <pthread.h>
#include <stddef.h>

#include "ipckit/layout.h"
#include "ipckit/queue.h"
#include "shared/guard.h"
#include "shared/lock.h"
#include "shared/participants.h"
#include "shared/word.h"

// What the numbers of a queue may be at the most.
#define RING_MAX_CAPACITY (1U << 24)
#define RING_MAX_MESSAGE (256ULL << 20)
#define RING_MAX_BYTES (1ULL << 40)
#define RING_MAX_BLOCKS (1U << 28)

typedef struct ring_geometry {
  uint32_t capacity, dead_capacity, cells, priorities, participants, blocks, block_bytes, copy_outside_bytes;
  uint32_t max_deliveries, flags;
  uint64_t max_message_bytes, capacity_bytes;
  // Derived: sizes of the rings (powers of two) and where the sections start.
  uint32_t ring, block_ring, block_shift;
  uint64_t people_at, cells_at, rings_at, free_at, heaps_at, free_blocks_at, links_at, marks_at, blocks_at,
      total_bytes;
} ring_geometry;

// Fills in what is derived. False when the numbers are out of range or overflow.
bool ring_geometry_derive(ring_geometry* geometry);

enum ring_heap { RING_RETURNED, RING_DELAYED, RING_LEASED, RING_DEAD };

// A task of a joinable queue, oldest first.
typedef struct ring_tasks {
  ipckit_token_t* tokens;
  size_t head, count, room, reserved;
} ring_tasks;

struct ipckit_queue {
  ring_people people;
  ring_mapped map;
  ring_geometry g;  // checked once at opening and never read from the file again
  ipckit_layout_header_t* h;
  ipckit_layout_cell_t* cells;
  uint32_t *rings, *free, *heaps, *free_blocks, *links;
  uint64_t* marks;
  uint8_t* blocks;
  ipckit_layout_identity_t identity;  // as it was at opening
  uint32_t prefetch;
  uint32_t leases;      // how many this handle holds: a hint for the limit
  uint32_t roles;       // written to the table when they change
  int64_t swept;        // coarse clock
  uint32_t until_look;  // operations until the clock is asked
  uint32_t spins[3];    // how long to poll before sleeping, per place
  uint32_t lead;        // how many pauses to let the producers get ahead before that
  pthread_mutex_t tasks_lock;
  ring_tasks tasks;
};

typedef struct ipckit_queue ring_queue;

// Truth words.
#define RING_GENERATION_MASK ((1ULL << IPCKIT_TRUTH_GENERATION_BITS) - 1)
#define RING_MAX_DELIVERY 0x7fffU

static inline uint64_t ring_truth(uint32_t state, uint32_t owner, uint32_t delivery, uint64_t generation) {
  return (uint64_t)state << IPCKIT_TRUTH_STATE_SHIFT | (uint64_t)owner << IPCKIT_TRUTH_OWNER_SHIFT |
         (uint64_t)delivery << IPCKIT_TRUTH_DELIVERY_SHIFT | (generation & RING_GENERATION_MASK);
}
static inline uint32_t ring_truth_state(uint64_t truth) {
  return (uint32_t)(truth >> IPCKIT_TRUTH_STATE_SHIFT);
}
static inline uint32_t ring_truth_owner(uint64_t truth) { return truth >> IPCKIT_TRUTH_OWNER_SHIFT & 0x3ff; }
static inline uint32_t ring_truth_delivery(uint64_t truth) {
  return truth >> IPCKIT_TRUTH_DELIVERY_SHIFT & RING_MAX_DELIVERY;
}
static inline uint64_t ring_truth_generation(uint64_t truth) { return truth & RING_GENERATION_MASK; }
static inline uint32_t ring_next_delivery(uint64_t truth) {
  uint32_t delivery = ring_truth_delivery(truth);
  return delivery < RING_MAX_DELIVERY ? delivery + 1 : delivery;
}

// Commit point of every operation. Publishes the cell's other words, written before, to the load in whoever
// takes the lock or recovers next; a process that dies is before it or after it.
static inline void ring_commit(ipckit_layout_cell_t* cell, uint64_t truth) {
  ring_store_release(&cell->truth, truth);
}

static inline uint32_t* ring_tail(ring_queue* q, uint32_t priority) {
  return priority == 0 ? &q->h->tail : &q->h->tails[priority];
}

// Beginning and ending an operation (operate.c):
// Checks the handle and takes a lock, recovering when its owner is dead. 0 or negative.
int ring_enter_producers(ring_queue* q);
int ring_enter_consumers(ring_queue* q);
int ring_enter_both(ring_queue* q);
// Let go, and return `result`, or IPCKIT_E_CORRUPT when the lock was not ours any more. A result of
// IPCKIT_E_CORRUPT marks the queue for everyone.
int64_t ring_leave_producers(ring_queue* q, int64_t result);
int64_t ring_leave_consumers(ring_queue* q, int64_t result);
int64_t ring_leave_both(ring_queue* q, int64_t result);
// 0, or why the handle cannot be used.
int ring_usable(ring_queue* q);
void ring_play_role(ring_queue* q, uint32_t role);
// Looks for dead participants when the last look is a while ago. Cheap; called between operations.
void ring_look_around(ring_queue* q, bool idle);

// Recovery (recover.c):
// Rebuilds every index from the truth words and gives back what the dead hold. May be killed anywhere and be
// called again. `end` as in ring_lock.
int ring_recover(ring_queue* q, int64_t* end);
// The pass itself, under both locks. `leaving`: what this handle holds goes back as well.
int ring_rebuild(ring_queue* q, bool leaving);
void ring_wake_everyone(ring_queue* q);

// Cells, blocks and heaps (cells.c):
// Under the producers' lock. Takes a free cell and its blocks, which are not yet the message's: negative when
// there are none (-EAGAIN) or the indices make no sense.
int ring_allocate(ring_queue* q, size_t length, uint32_t* cell);
// Room that an operation gives back under the consumers' lock. Kept in private memory and published once,
// since each publication takes the line from the producers. While one is begun nothing else may give back
// room.
typedef struct ring_room {
  uint32_t free_tail, block_tail;
  uint64_t done;
} ring_room;
ring_room ring_room_begin(ring_queue* q);
void ring_room_publish(ring_queue* q, const ring_room* room);
// Makes a cell free, which is the commit point of an acknowledgement, and returns its room.
int ring_release_into(ring_queue* q, ring_room* room, uint32_t cell, uint64_t truth);
// The same for a message that counts as pending: it is done.
int ring_finish_into(ring_queue* q, ring_room* room, uint32_t cell, uint64_t truth);
// Begin, do one of these, and publish.
int ring_release(ring_queue* q, uint32_t cell, uint64_t truth);
int ring_finish(ring_queue* q, uint32_t cell, uint64_t truth);
// Copy between private memory and a cell's payload. `length` is a checked copy.
int ring_copy_in(ring_queue* q, uint32_t cell, const void* data, size_t length);
int ring_copy_out(ring_queue* q, uint32_t cell, void* buffer, size_t length);
uint32_t ring_blocks_of(const ring_queue* q, uint64_t length);

int ring_heap_push(ring_queue* q, enum ring_heap heap, uint32_t cell);
// Takes out the entry at a position; the cell, or negative.
int64_t ring_heap_take(ring_queue* q, enum ring_heap heap, uint32_t position);
// The first cell, -EAGAIN when empty, or IPCKIT_E_CORRUPT.
int64_t ring_heap_first(ring_queue* q, enum ring_heap heap);
int ring_heap_remove(ring_queue* q, enum ring_heap heap, uint32_t cell);
// After its key changed.
int ring_heap_move(ring_queue* q, enum ring_heap heap, uint32_t cell);
// For a rebuild: puts a cell at the end, then orders all of them.
int ring_heap_append(ring_queue* q, enum ring_heap heap, uint32_t cell);
void ring_heap_order(ring_queue* q, enum ring_heap heap);

// Who is next, and the end of a delivery (select.c):
typedef struct ring_choice {
  uint32_t cell;
  uint64_t truth;
  uint32_t length;
  uint32_t priority;
  bool returned;  // it stands first in the heap of returned ones, not in a ring
  uint32_t left;  // within one batch: what its ring holds after it
  bool settled;   // and leases that ran out were looked for
} ring_choice;

// Under the consumers' lock: finds the next message and leaves it. 0, -EAGAIN, IPCKIT_E_CORRUPT. A batch
// hands in the choice before this one, and all zeros first.
int ring_choose(ring_queue* q, ring_choice* choice);
// Takes it out of its list; its truth word is still READY.
int ring_unlist(ring_queue* q, const ring_choice* choice);
// Ends leases that ran out, and lets delayed messages become ready. 0 or negative.
int ring_settle_due(ring_queue* q);
// A delivery ended without success: the message is READY again, or dead after too many. `truth` is its word.
int ring_give_back(ring_queue* q, uint32_t cell, uint64_t truth, uint64_t ready_at);
int ring_give_up(ring_queue* q, uint32_t cell, uint64_t truth, uint32_t reason);
// It ended well, or for good.
int ring_end_success(ring_queue* q, ring_room* room, uint32_t cell, uint64_t truth);
int ring_end_rejected(ring_queue* q, uint32_t cell, uint64_t truth);
// Without the lock: whether a get might find something. A hint.
bool ring_maybe_ready(ring_queue* q);
// Whether more than one message of the usual priority waits. A hint.
bool ring_came_together(ring_queue* q);
// Time of the next lease's end or delayed message, INT64_MAX for none. A hint.
int64_t ring_next_due(ring_queue* q);

// Waiting (wait.c):
// After the publication and the exchange of ring_unlock, which is the fence between: wakes up to `count`.
void ring_wake(ipckit_layout_wait_t* place, int count);
void ring_wake_space(ring_queue* q, int count);
void ring_wake_tasks(ring_queue* q);
// After a get: hands a wake-up on when there is more to get and somebody sleeps.
void ring_wake_on(ring_queue* q);

typedef int64_t (*ring_attempt)(ring_queue* q, void* context);
// Tries until the result is not -EAGAIN or the time is over (-ETIMEDOUT; -EAGAIN when it was 0). `length`: of
// the message for which a producer waits.
int64_t ring_retry(ring_queue* q, uint32_t interest, uint64_t length, int64_t timeout_ns,
                   ring_attempt attempt, void* context);

#endif
