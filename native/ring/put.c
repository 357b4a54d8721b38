// The producers' side: put, try_put, put_many. A message is in the queue from the commit of its truth word
// on, when it has a number, a length, blocks and its bytes; what follows (counter, ring, tail) a recovery can
// do as well.
#include "queue.h"

typedef struct put {
  const ipckit_slice_t* slices;
  size_t count;
} put;

// Under the producers' lock. Whether one more may be pending.
static int has_room(ring_queue* q, uint64_t next) {
  ipckit_layout_header_t* h = q->h;
  uint64_t used = next - 1 - ring_load(&h->done_seen) + ring_load(&h->writing);
  if (used < q->g.capacity) return 1;
  uint64_t done =
      ring_load_acquire(&h->done);  // pairs with ring_finish and ring_give_up: their free cells are seen
  ring_store(&h->done_seen, done);
  used = next - 1 - done + ring_load(&h->writing);
  // Two recoveries cannot disagree by more than the queue holds, so anything else was scribbled.
  if (used > (uint64_t)q->g.cells * 2) return IPCKIT_E_CORRUPT;
  return used < q->g.capacity;
}

static void describe(ipckit_layout_cell_t* c, const ipckit_slice_t* slice) {
  ring_store(&c->length, (uint32_t)slice->length);
  ring_store(&c->priority, (uint8_t)slice->priority);
  ring_store(&c->ready_at, 0);
  ring_store(&c->until, 0);
}

// Lists a committed cell; `tail` is the end of its ring, which the caller publishes.
static void list(ring_queue* q, uint32_t priority, uint32_t tail, uint32_t cell) {
  ring_store(&q->rings[(uint64_t)priority * q->g.ring + (tail & (q->g.ring - 1))], cell);
}

// Publishes to highest_ring: the cells listed up to there, and their payload.
static void publish(ring_queue* q, uint32_t priority, uint32_t tail) {
  ring_store_release(ring_tail(q, priority), tail);
}

// Under the lock: as many of the slices as there is room for. Stops before a large one. Returns how many.
static int64_t put_small(ring_queue* q, const put* p) {
  ipckit_layout_header_t* h = q->h;
  uint32_t tails[IPCKIT_LAYOUT_PRIORITIES];
  uint32_t touched = 0;
  uint64_t next = ring_load(&h->next_seq);
  int64_t failed = 0;
  size_t done = 0;
  for (; done < p->count; done++) {
    const ipckit_slice_t* slice = &p->slices[done];
    if (slice->length > q->g.copy_outside_bytes) break;
    failed = has_room(q, next);
    if (failed <= 0) break;
    uint32_t cell;
    failed = ring_allocate(q, slice->length, &cell);
    if (failed < 0) break;
    ipckit_layout_cell_t* c = &q->cells[cell];
    describe(c, slice);
    ring_store(&c->seq, next);
    failed = ring_copy_in(q, cell, slice->data, slice->length);
    if (failed < 0) break;
    ring_commit(c, ring_truth(IPCKIT_CELL_READY, 0, 0, ring_truth_generation(ring_load(&c->truth)) + 1));
    next++;
    if (!(touched >> slice->priority & 1)) {
      touched |= 1U << slice->priority;
      tails[slice->priority] = ring_load(ring_tail(q, slice->priority));
    }
    list(q, slice->priority, tails[slice->priority]++, cell);
  }
  ring_store(&h->next_seq, next);
  for (uint32_t priority = 0; touched != 0; priority++, touched >>= 1) {
    if (touched & 1) publish(q, priority, tails[priority]);
  }
  if (failed == IPCKIT_E_CORRUPT) return failed;
  return done > 0 ? (int64_t)done : -EAGAIN;
}

// A large payload is copied while no lock is held: the cell says WRITING and who, so that it can be taken
// back.
static int64_t reserve(ring_queue* q, const ipckit_slice_t* slice, uint32_t* cell, uint64_t* truth) {
  ipckit_layout_header_t* h = q->h;
  int64_t result = has_room(q, ring_load(&h->next_seq));
  if (result <= 0) return result < 0 ? result : -EAGAIN;
  result = ring_allocate(q, slice->length, cell);
  if (result < 0) return result;
  ipckit_layout_cell_t* c = &q->cells[*cell];
  describe(c, slice);
  *truth =
      ring_truth(IPCKIT_CELL_WRITING, q->people.slot, 0, ring_truth_generation(ring_load(&c->truth)) + 1);
  ring_commit(c, *truth);
  ring_store(&h->writing, ring_load(&h->writing) + 1);
  return 0;
}

static int64_t complete(ring_queue* q, const ipckit_slice_t* slice, uint32_t cell, uint64_t truth) {
  ipckit_layout_header_t* h = q->h;
  ipckit_layout_cell_t* c = &q->cells[cell];
  if (ring_load(&c->truth) != truth) return IPCKIT_E_CORRUPT;
  uint64_t next = ring_load(&h->next_seq);
  uint32_t tail = ring_load(ring_tail(q, slice->priority));
  ring_store(&c->seq, next);
  ring_commit(c, ring_truth(IPCKIT_CELL_READY, 0, 0, ring_truth_generation(truth)));
  ring_store(&h->writing, ring_load(&h->writing) - 1);
  ring_store(&h->next_seq, next + 1);
  list(q, slice->priority, tail, cell);
  publish(q, slice->priority, tail + 1);
  return 1;
}

// The queue was shut down, or stopped making sense, while we copied: the cell goes back unread.
static int64_t abandon(ring_queue* q, uint32_t cell, uint64_t truth, int64_t why) {
  int entered = ring_enter_both(q);
  if (entered < 0) return entered;
  int result = IPCKIT_E_CORRUPT;
  if (ring_load(&q->cells[cell].truth) == truth) {
    result = ring_release(q, cell, truth);
    ring_store(&q->h->writing, ring_load(&q->h->writing) - 1);
  }
  return ring_leave_both(q, result < 0 ? result : why);
}

static int64_t put_large(ring_queue* q, const ipckit_slice_t* slice) {
  uint32_t cell = 0;
  uint64_t truth = 0;
  int64_t result = ring_leave_producers(q, reserve(q, slice, &cell, &truth));
  if (result < 0) return result;
  int copied = ring_copy_in(q, cell, slice->data, slice->length);
  if (copied < 0) return abandon(q, cell, truth, copied);
  result = ring_enter_producers(q);
  if (result < 0) return result;
  if (ring_load(&q->h->state) != IPCKIT_STATE_OPEN) {
    result = ring_leave_producers(q, 0);
    return result < 0 ? result : abandon(q, cell, truth, IPCKIT_E_SHUTDOWN);
  }
  return ring_leave_producers(q, complete(q, slice, cell, truth));
}

static int64_t attempt(ring_queue* q, void* context) {
  const put* p = context;
  int64_t result = ring_enter_producers(q);
  if (result < 0) return result;
  // Under the lock, which shutdown takes: a put is wholly before it or refused.
  if (ring_load(&q->h->state) != IPCKIT_STATE_OPEN) return ring_leave_producers(q, IPCKIT_E_SHUTDOWN);
  if (p->slices[0].length > q->g.copy_outside_bytes) {
    result = put_large(q, &p->slices[0]);
  } else {
    result = ring_leave_producers(q, put_small(q, p));
  }
  if (result > 0) ring_wake(&q->h->items, (int)result);
  return result;
}

static int check(const ring_queue* q, const ipckit_slice_t* slice) {
  if (slice->length > q->g.max_message_bytes) return -EMSGSIZE;
  if (slice->priority >= q->g.priorities) return -EINVAL;
  if (slice->length > 0 && slice->data == NULL) return -EFAULT;
  return 0;
}

int64_t ipckit_queue_put_many(ipckit_queue_t* q, const ipckit_slice_t* slices, size_t count,
                              int64_t timeout_ns) {
  if (timeout_ns < 0) return -EINVAL;
  if (count == 0) return ring_usable(q);
  if (count > INT_MAX) count = INT_MAX;
  for (size_t i = 0; i < count; i++) {
    int wrong = check(q, &slices[i]);
    // What stands before it is put; the caller meets the error when it comes to it.
    if (wrong < 0 && i == 0) return wrong;
    if (wrong < 0) count = i;
  }
  put p = {slices, count};
  int64_t result = ring_retry(q, IPCKIT_WAIT_SPACE, slices[0].length, timeout_ns, attempt, &p);
  if (result > 0) {
    ring_play_role(q, IPCKIT_ROLE_PRODUCER);
    ring_look_around(q, false);
  }
  return result;
}

int ipckit_queue_put(ipckit_queue_t* q, const void* data, size_t length, uint32_t priority,
                     int64_t timeout_ns) {
  ipckit_slice_t slice = {data, length, priority};
  int64_t result = ipckit_queue_put_many(q, &slice, 1, timeout_ns);
  return result < 0 ? (int)result : 0;
}

int ipckit_queue_try_put(ipckit_queue_t* q, const void* data, size_t length, uint32_t priority) {
  return ipckit_queue_put(q, data, length, priority, 0);
}
