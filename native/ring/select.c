// Which message is next, and what becomes of one whose delivery ended: all of it under the consumers' lock.
#include "queue.h"

// How many messages ahead their lines are asked for. bench/ring, 2026-11-21.
#define AHEAD 4
// How many pauses a getter lets the producers get ahead while messages come together. bench/ring, 2026-11-21.
#define LEAD 128U

// Messages that came back are older than everything of their priority in the rings, so they go first there.
static int choose_returned(ring_queue* q, int ring_priority, ring_choice* choice) {
  int64_t first = ring_heap_first(q, RING_RETURNED);
  if (first < 0) return (int)first;
  uint32_t priority = ring_load(&q->cells[first].priority);
  if ((int)priority < ring_priority) return -EAGAIN;
  choice->cell = (uint32_t)first;
  choice->priority = priority;
  choice->returned = true;
  return 0;
}

// The highest priority that has something in its ring, or -1.
static int highest_ring(ring_queue* q, uint32_t* count) {
  ipckit_layout_header_t* h = q->h;
  for (uint32_t p = q->g.priorities - 1; p > 0; p--) {
    // Pairs with the store in publish: the entries up to there are seen.
    *count = ring_load_acquire(&h->tails[p]) - ring_load(&h->heads[p]);
    if (*count > q->g.ring) return IPCKIT_E_CORRUPT;
    if (*count > 0) return (int)p;
  }
  // The usual priority has a line of its own, and is looked at again only when what was seen of it is used
  // up.
  uint32_t head = ring_load(&h->heads[0]);
  *count = ring_load(&h->tail_seen) - head;
  if (*count == 0) {
    uint32_t tail = ring_load_acquire(&h->tail);  // pairs with publish
    ring_store(&h->tail_seen, tail);
    *count = tail - head;
    if (*count > 1) ring_store(&q->lead, LEAD);
  }
  if (*count > q->g.ring) return IPCKIT_E_CORRUPT;
  return *count > 0 ? 0 : -1;
}

static int choose_listed(ring_queue* q, uint32_t priority, ring_choice* choice) {
  const uint32_t* ring = q->rings + (uint64_t)priority * q->g.ring;
  const uint32_t head = ring_load(&q->h->heads[priority]);
  const uint32_t cell = ring_load(&ring[head & (q->g.ring - 1)]);
  if (cell >= q->g.cells) return IPCKIT_E_CORRUPT;
  // A batch comes to this one soon; the producers' processor has its two lines.
  const uint32_t soon = ring_load(&ring[(head + AHEAD) & (q->g.ring - 1)]);
  if (choice->left > AHEAD && soon < q->g.cells) {
    __builtin_prefetch(&q->cells[soon], 1);
    __builtin_prefetch(&q->cells[soon].payload[IPCKIT_LAYOUT_INLINE - 1]);
  }
  choice->cell = cell;
  choice->priority = priority;
  choice->returned = false;
  return 0;
}

static int choose(ring_queue* q, ring_choice* choice) {
  ipckit_layout_header_t* h = q->h;
  const bool returned = ring_load(&h->heap_counts[RING_RETURNED]) != 0;
  // The rest of a batch, as of the moment at which its ring was the highest.
  if (choice->left > 0 && !choice->returned && !returned) {
    choice->left--;
    return choose_listed(q, choice->priority, choice);
  }
  uint32_t count = 0;
  const int p = highest_ring(q, &count);
  if (p < -1) return p;
  choice->left = 0;
  if (returned) {
    int result = choose_returned(q, p, choice);
    if (result != -EAGAIN) return result;
  }
  if (p < 0) return -EAGAIN;
  choice->left = count - 1;
  return choose_listed(q, (uint32_t)p, choice);
}

int ring_choose(ring_queue* q, ring_choice* choice) {
  ipckit_layout_header_t* h = q->h;
  if (!choice->settled &&
      (ring_load(&h->heap_counts[RING_LEASED]) | ring_load(&h->heap_counts[RING_DELAYED]))) {
    int settled = ring_settle_due(q);
    if (settled < 0) return settled;
  }
  choice->settled = true;
  int result = choose(q, choice);
  if (result < 0) return result;
  const ipckit_layout_cell_t* c = &q->cells[choice->cell];
  choice->truth = ring_load_acquire(&c->truth);  // pairs with ring_commit in put
  choice->length = ring_load(&c->length);
  if (ring_truth_state(choice->truth) != IPCKIT_CELL_READY || choice->length > q->g.max_message_bytes ||
      ring_load(&c->priority) != choice->priority || choice->priority >= q->g.priorities) {
    return IPCKIT_E_CORRUPT;
  }
  return 0;
}

int ring_unlist(ring_queue* q, const ring_choice* choice) {
  if (choice->returned) {
    int64_t taken = ring_heap_take(q, RING_RETURNED, 0);
    return taken < 0 ? (int)taken : 0;
  }
  ring_store(&q->h->heads[choice->priority], ring_load(&q->h->heads[choice->priority]) + 1);
  return 0;
}

int ring_give_up(ring_queue* q, uint32_t cell, uint64_t truth, uint32_t reason) {
  ipckit_layout_header_t* h = q->h;
  ipckit_layout_cell_t* c = &q->cells[cell];
  ring_store(&h->deaths, ring_load(&h->deaths) + 1);
  if (q->g.dead_capacity == 0) {
    ring_store(&h->dropped, ring_load(&h->dropped) + 1);
    return ring_finish(q, cell, truth);
  }
  // Room first, so that there are never more dead letters than cells for them.
  if (ring_load(&h->heap_counts[RING_DEAD]) >= q->g.dead_capacity) {
    int64_t oldest = ring_heap_take(q, RING_DEAD, 0);
    if (oldest < 0) return (int)oldest;
    uint64_t old = ring_load(&q->cells[oldest].truth);
    if (ring_truth_state(old) != IPCKIT_CELL_DEAD) return IPCKIT_E_CORRUPT;
    int result = ring_release(q, (uint32_t)oldest, old);
    if (result < 0) return result;
    ring_store(&h->dropped, ring_load(&h->dropped) + 1);
  }
  ring_store(&c->until, ring_load(&h->deaths));
  ring_store(&c->reason, (uint8_t)reason);
  ring_commit(c, ring_truth(IPCKIT_CELL_DEAD, 0, ring_truth_delivery(truth), ring_truth_generation(truth)));
  ring_store_release(&h->done, ring_load(&h->done) + 1);  // pairs with has_room in put.c and join
  return ring_heap_push(q, RING_DEAD, cell);
}

// It is not leased any more; the truth word still says so.
static int end_lease(ring_queue* q, uint32_t cell) {
  ring_store(&q->h->taken, ring_load(&q->h->taken) - 1);
  return ring_load(&q->cells[cell].until) != 0 ? ring_heap_remove(q, RING_LEASED, cell) : 0;
}

int ring_give_back(ring_queue* q, uint32_t cell, uint64_t truth, uint64_t ready_at) {
  ipckit_layout_cell_t* c = &q->cells[cell];
  int result = end_lease(q, cell);
  if (result < 0) return result;
  if (q->g.max_deliveries != 0 && ring_truth_delivery(truth) >= q->g.max_deliveries) {
    return ring_give_up(q, cell, truth, IPCKIT_DEAD_DELIVERIES);
  }
  ring_store(&c->ready_at, ready_at);
  // A new generation: tokens of this delivery are stale from here on.
  ring_commit(c,
              ring_truth(IPCKIT_CELL_READY, 0, ring_truth_delivery(truth), ring_truth_generation(truth) + 1));
  ring_store(&q->h->redeliveries, ring_load(&q->h->redeliveries) + 1);
  return ring_heap_push(q, ready_at != 0 ? RING_DELAYED : RING_RETURNED, cell);
}

int ring_end_success(ring_queue* q, ring_room* room, uint32_t cell, uint64_t truth) {
  int result = end_lease(q, cell);
  return result < 0 ? result : ring_finish_into(q, room, cell, truth);
}

int ring_end_rejected(ring_queue* q, uint32_t cell, uint64_t truth) {
  int result = end_lease(q, cell);
  return result < 0 ? result : ring_give_up(q, cell, truth, IPCKIT_DEAD_REJECTED);
}

int ring_settle_due(ring_queue* q) {
  const int64_t now = ring_now();
  for (uint32_t turn = 0; turn < 2 * q->g.cells; turn++) {
    int64_t cell = ring_heap_first(q, RING_LEASED);
    if (cell >= 0 && (int64_t)ring_load(&q->cells[cell].until) <= now) {
      uint64_t truth = ring_load(&q->cells[cell].truth);
      if (ring_truth_state(truth) != IPCKIT_CELL_TAKEN) return IPCKIT_E_CORRUPT;
      int result = ring_give_back(q, (uint32_t)cell, truth, 0);
      if (result < 0) return result;
      ring_store(&q->h->expiries, ring_load(&q->h->expiries) + 1);
      continue;
    }
    if (cell < 0 && cell != -EAGAIN) return (int)cell;
    cell = ring_heap_first(q, RING_DELAYED);
    if (cell == -EAGAIN) return 0;
    if (cell < 0) return (int)cell;
    if ((int64_t)ring_load(&q->cells[cell].ready_at) > now) return 0;
    int64_t taken = ring_heap_take(q, RING_DELAYED, 0);
    if (taken < 0) return (int)taken;
    int result = ring_heap_push(q, RING_RETURNED, (uint32_t)taken);
    if (result < 0) return result;
  }
  return IPCKIT_E_CORRUPT;
}

// The next two read without a lock, for those who decide whether to try or how long to sleep.

bool ring_maybe_ready(ring_queue* q) {
  ipckit_layout_header_t* h = q->h;
  if (ring_load_acquire(&h->tail) != ring_load(&h->heads[0])) return true;
  if (ring_load(&h->heap_counts[RING_RETURNED]) != 0) return true;
  for (uint32_t p = 1; p < q->g.priorities; p++) {
    if (ring_load_acquire(&h->tails[p]) != ring_load(&h->heads[p])) return true;
  }
  uint32_t state = ring_load(&h->state);
  if (state == IPCKIT_STATE_DRAIN) return ring_load(&h->heap_counts[RING_DELAYED]) == 0;
  return state != IPCKIT_STATE_OPEN;
}

bool ring_came_together(ring_queue* q) {
  return ring_load_acquire(&q->h->tail) - ring_load(&q->h->heads[0]) > 1;
}

int64_t ring_next_due(ring_queue* q) {
  int64_t due = INT64_MAX;
  const enum ring_heap timed[] = {RING_LEASED, RING_DELAYED};
  for (int i = 0; i < 2; i++) {
    int64_t cell = ring_heap_first(q, timed[i]);
    if (cell < 0) continue;
    int64_t at =
        (int64_t)ring_load(timed[i] == RING_LEASED ? &q->cells[cell].until : &q->cells[cell].ready_at);
    if (at < due) due = at;
  }
  return due;
}
