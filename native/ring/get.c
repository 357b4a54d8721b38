// The consumers' side: get, lease and their batches, peek, and dead letters. Bytes are copied out before the
// commit, so a consumer that dies before it has taken nothing, and after it has everything.
#include <string.h>

#include "queue.h"
#include "tasks.h"

typedef struct take {
  uint8_t* slab;
  size_t size;
  ipckit_message_t* messages;
  size_t count;
  int64_t lease_ns;
  bool hold;  // the messages stay the queue's until they are acknowledged
  bool task;  // and task_done does so
} take;

static void tell(const ring_queue* q, const ring_choice* choice, uint64_t truth, ipckit_message_t* message) {
  const ipckit_layout_cell_t* c = &q->cells[choice->cell];
  message->length = choice->length;
  message->seq = ring_load(&c->seq);
  message->priority = choice->priority;
  message->delivery_count = ring_truth_delivery(truth);
  message->redelivered = message->delivery_count > 1;
  message->reason = 0;
  message->token = (ipckit_token_t){truth, message->seq, choice->cell, q->people.epoch};
}

// READY becomes TAKEN by us.
static int64_t hold(ring_queue* q, const ring_choice* choice, int64_t lease_ns, uint64_t taken) {
  ipckit_layout_cell_t* c = &q->cells[choice->cell];
  uint64_t until = lease_ns > 0 ? (uint64_t)ring_after(ring_now(), lease_ns) : 0;
  ring_store(&c->until, until);
  ring_commit(c, taken);
  ring_store(&q->h->taken, ring_load(&q->h->taken) + 1);
  int result = ring_unlist(q, choice);
  if (result < 0) return result;
  uint32_t leases = __atomic_add_fetch(&q->leases, 1, __ATOMIC_RELAXED);
  ring_store(&q->people.table[q->people.slot].leases, leases);
  return until != 0 ? ring_heap_push(q, RING_LEASED, choice->cell) : 0;
}

static uint64_t taken_word(const ring_queue* q, uint64_t truth) {
  return ring_truth(IPCKIT_CELL_TAKEN, q->people.slot, ring_next_delivery(truth),
                    ring_truth_generation(truth));
}

// Under the lock, for a small payload: copy, commit, list.
static int64_t take_small(ring_queue* q, const ring_choice* choice, const take* t, ring_room* room,
                          uint8_t* to, ipckit_message_t* message) {
  int64_t result = ring_copy_out(q, choice->cell, to, choice->length);
  if (result < 0) return result;
  const uint64_t taken = taken_word(q, choice->truth);
  tell(q, choice, taken, message);
  if (t->hold) return hold(q, choice, t->lease_ns, taken);
  result = ring_finish_into(q, room, choice->cell, choice->truth);
  return result < 0 ? result : ring_unlist(q, choice);
}

// Under the lock on entry, not on return. The payload is copied while the message is ours and no lock is
// held.
static int64_t take_large(ring_queue* q, const ring_choice* choice, const take* t,
                          ipckit_message_t* message) {
  const uint64_t taken = taken_word(q, choice->truth);
  tell(q, choice, taken, message);
  int64_t result = ring_leave_consumers(q, hold(q, choice, t->lease_ns, taken));
  if (result < 0) return result;
  result = ring_copy_out(q, choice->cell, t->slab, choice->length);
  if (result < 0) return result;
  if (t->hold && t->lease_ns == 0) return 1;
  if (t->hold) {
    // The lease may have run out meanwhile, and the bytes be those of another message.
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return ring_load(&q->cells[choice->cell].truth) == taken ? 1 : -EAGAIN;
  }
  result = ipckit_queue_ack(q, &message->token);
  return result < 0 ? result : 1;
}

static bool prefetched(ring_queue* q) { return q->prefetch != 0 && ring_load(&q->leases) >= q->prefetch; }

// What this handle holds by the truth words; leases that ran out made the count of the handle too high.
static void recount(ring_queue* q) {
  uint32_t leases = 0;
  for (uint32_t i = 0; i < q->g.cells; i++) {
    uint64_t truth = ring_load(&q->cells[i].truth);
    leases += ring_truth_state(truth) == IPCKIT_CELL_TAKEN && ring_truth_owner(truth) == q->people.slot;
  }
  ring_store(&q->leases, leases);
}

static int64_t attempt(ring_queue* q, void* context) {
  const take* t = context;
  int64_t result = ring_enter_consumers(q);
  if (result < 0) return result;
  // Before looking for messages: all that were put before a shutdown are visible to who sees it.
  const uint32_t state = ring_load_acquire(&q->h->state);
  if (state == IPCKIT_STATE_STOPPED) return ring_leave_consumers(q, IPCKIT_E_SHUTDOWN);
  if (t->hold && prefetched(q)) {
    recount(q);
    if (prefetched(q)) return ring_leave_consumers(q, IPCKIT_E_PREFETCH);
  }
  size_t n = 0, at = 0;
  ring_choice choice = {0};
  ring_room room = {0};
  while (n < t->count && !(n > 0 && t->hold && prefetched(q))) {
    result = ring_choose(q, &choice);
    if (result < 0) break;
    // Not before the first choice, which may give room back itself.
    if (n == 0) room = ring_room_begin(q);
    t->messages[n].offset = at;
    if (choice.length > t->size - at) {
      t->messages[n].length = choice.length;
      result = -EMSGSIZE;
      break;
    }
    if (choice.length > q->g.copy_outside_bytes) {
      if (n > 0) break;
      result = take_large(q, &choice, t, &t->messages[0]);
      if (result == 1) ring_wake_on(q);
      return result;
    }
    result = take_small(q, &choice, t, &room, t->slab + at, &t->messages[n]);
    if (result < 0) break;
    at += (choice.length + 7) & ~(size_t)7;
    n++;
    if (at > t->size) at = t->size;
  }
  if (n > 0 && !t->hold) ring_room_publish(q, &room);
  if (n > 0 && result != IPCKIT_E_CORRUPT) result = (int64_t)n;
  if (result == -EAGAIN && state == IPCKIT_STATE_DRAIN && ring_load(&q->h->heap_counts[RING_DELAYED]) == 0) {
    result = IPCKIT_E_SHUTDOWN;
  }
  result = ring_leave_consumers(q, result);
  if (result > 0) {
    if (!t->hold) {
      ring_wake_space(q, (int)result);
      ring_wake_tasks(q);
    }
    ring_wake_on(q);
  }
  return result;
}

static int64_t run(ring_queue* q, take* t, int64_t timeout_ns) {
  if (timeout_ns < 0 || t->lease_ns < 0) return -EINVAL;
  if (t->slab == NULL && t->size > 0) return -EFAULT;
  if (t->count == 0) return ring_usable(q);
  if (t->count > INT_MAX) t->count = INT_MAX;
  const size_t room = t->count < q->g.cells ? t->count : q->g.cells;
  if (t->task) {
    int result = ring_tasks_reserve(q, room);
    if (result < 0) return result;
  }
  int64_t result = ring_retry(q, IPCKIT_WAIT_ITEMS, 0, timeout_ns, attempt, t);
  if (t->task) ring_tasks_add(q, t->messages, result > 0 ? (size_t)result : 0, room);
  if (result > 0) ring_play_role(q, IPCKIT_ROLE_CONSUMER);
  // A consumer that polls an empty queue must find out about the dead as one that waits does.
  if (result >= 0 || result == -EAGAIN) ring_look_around(q, result < 0);
  return result;
}

static int64_t one(ring_queue* q, void* buffer, size_t size, ipckit_message_t* message, take t,
                   int64_t timeout_ns) {
  ipckit_message_t unwanted;
  t.slab = buffer;
  t.size = size;
  t.messages = message ? message : &unwanted;
  t.count = 1;
  int64_t result = run(q, &t, timeout_ns);
  return result == 1 ? (int64_t)t.messages[0].length : result;
}

static bool joinable(const ring_queue* q) { return (q->g.flags & IPCKIT_QUEUE_JOINABLE) != 0; }

int64_t ipckit_queue_get(ipckit_queue_t* q, void* buffer, size_t size, ipckit_message_t* message,
                         int64_t timeout_ns) {
  return one(q, buffer, size, message, (take){.hold = joinable(q), .task = joinable(q)}, timeout_ns);
}

int64_t ipckit_queue_try_get(ipckit_queue_t* q, void* buffer, size_t size, ipckit_message_t* message) {
  return ipckit_queue_get(q, buffer, size, message, 0);
}

int64_t ipckit_queue_lease(ipckit_queue_t* q, void* buffer, size_t size, ipckit_message_t* message,
                           int64_t lease_ns, int64_t timeout_ns) {
  if (message == NULL) return -EFAULT;
  return one(q, buffer, size, message, (take){.hold = true, .lease_ns = lease_ns}, timeout_ns);
}

int64_t ipckit_queue_get_many(ipckit_queue_t* q, void* slab, size_t size, ipckit_message_t* messages,
                              size_t count, int64_t timeout_ns) {
  take t = {slab, size, messages, count, 0, joinable(q), joinable(q)};
  return run(q, &t, timeout_ns);
}

int64_t ipckit_queue_lease_many(ipckit_queue_t* q, void* slab, size_t size, ipckit_message_t* messages,
                                size_t count, int64_t lease_ns, int64_t timeout_ns) {
  take t = {slab, size, messages, count, lease_ns, true, false};
  return run(q, &t, timeout_ns);
}

int64_t ipckit_queue_peek(ipckit_queue_t* q, void* buffer, size_t size, ipckit_message_t* message) {
  ipckit_message_t unwanted;
  if (message == NULL) message = &unwanted;
  int64_t result = ring_enter_consumers(q);
  if (result < 0) return result;
  ring_choice choice = {0};
  result = ring_choose(q, &choice);
  if (result == 0) {
    tell(q, &choice, choice.truth, message);
    message->offset = 0;
    message->token = (ipckit_token_t){0};
    result = -EMSGSIZE;
    if (choice.length <= size) {
      int copied = ring_copy_out(q, choice.cell, buffer, choice.length);
      result = copied < 0 ? copied : (int64_t)choice.length;
    }
  }
  return ring_leave_consumers(q, result);
}

static int64_t take_dead(ring_queue* q, void* buffer, size_t size, ipckit_message_t* message) {
  int64_t cell = ring_heap_first(q, RING_DEAD);
  if (cell < 0) return cell;
  const ipckit_layout_cell_t* c = &q->cells[cell];
  ring_choice choice = {
      .cell = (uint32_t)cell, .truth = ring_load_acquire(&c->truth), .length = ring_load(&c->length)};
  choice.priority = ring_load(&c->priority);
  if (ring_truth_state(choice.truth) != IPCKIT_CELL_DEAD) return IPCKIT_E_CORRUPT;
  if (choice.length > q->g.max_message_bytes) return IPCKIT_E_CORRUPT;
  tell(q, &choice, choice.truth, message);
  message->offset = 0;
  message->reason = ring_load(&c->reason);
  message->token = (ipckit_token_t){0};
  if (choice.length > size) return -EMSGSIZE;
  int64_t result = ring_copy_out(q, choice.cell, buffer, choice.length);
  if (result == 0) result = ring_release(q, choice.cell, choice.truth);
  if (result == 0) result = ring_heap_take(q, RING_DEAD, 0);
  return result < 0 ? result : (int64_t)choice.length;
}

int64_t ipckit_queue_get_dead(ipckit_queue_t* q, void* buffer, size_t size, ipckit_message_t* message) {
  ipckit_message_t unwanted;
  int64_t result = ring_enter_consumers(q);
  if (result < 0) return result;
  result = ring_leave_consumers(q, take_dead(q, buffer, size, message ? message : &unwanted));
  if (result >= 0) ring_wake_space(q, 1);  // its blocks may be what a producer waits for
  return result;
}
