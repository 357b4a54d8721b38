// What ends or prolongs a delivery: ack, nack, extend, reject, and the tasks of joinable queues. Each
// compares the truth word with the token under the consumers' lock, so one of an earlier delivery changes
// nothing.
#include <stdlib.h>
#include <string.h>

#include "queue.h"
#include "tasks.h"

// The word of the cell when the token still names its delivery, or 0.
static uint64_t current(const ring_queue* q, const ipckit_token_t* token) {
  if (token->cell >= q->g.cells || token->epoch != q->people.epoch) return 0;
  if (ring_truth_state(token->truth) != IPCKIT_CELL_TAKEN || ring_truth_owner(token->truth) != q->people.slot)
    return 0;
  const ipckit_layout_cell_t* c = &q->cells[token->cell];
  uint64_t truth = ring_load(&c->truth);
  return truth == token->truth && ring_load(&c->seq) == token->seq ? truth : 0;
}

static void let_go(ring_queue* q) {
  uint32_t leases = ring_load(&q->leases);
  // A count that a recount made smaller meanwhile stays at 0.
  while (leases > 0 && !__atomic_compare_exchange_n(&q->leases, &leases, leases - 1, true, __ATOMIC_RELAXED,
                                                    __ATOMIC_RELAXED)) {
  }
  ring_store(&q->people.table[q->people.slot].leases, leases > 0 ? leases - 1 : 0);
}

int64_t ipckit_queue_ack_many(ipckit_queue_t* q, const ipckit_token_t* tokens, size_t count) {
  int64_t result = ring_enter_consumers(q);
  if (result < 0) return result;
  int64_t acked = 0;
  ring_room room = ring_room_begin(q);
  for (size_t i = 0; i < count && result == 0; i++) {
    uint64_t truth = current(q, &tokens[i]);
    if (truth == 0) continue;
    result = ring_end_success(q, &room, tokens[i].cell, truth);
    let_go(q);
    acked++;
  }
  if (result == 0) ring_room_publish(q, &room);
  result = ring_leave_consumers(q, result < 0 ? result : acked);
  if (result > 0) {
    ring_wake_space(q, (int)(result > INT_MAX ? INT_MAX : result));
    ring_wake_tasks(q);
    ring_look_around(q, false);
  }
  return result;
}

int ipckit_queue_ack(ipckit_queue_t* q, const ipckit_token_t* token) {
  int64_t result = ipckit_queue_ack_many(q, token, 1);
  if (result < 0) return (int)result;
  return result == 1 ? 0 : IPCKIT_E_STALE;
}

int ipckit_queue_nack(ipckit_queue_t* q, const ipckit_token_t* token, int64_t delay_ns) {
  if (delay_ns < 0) return -EINVAL;
  int64_t result = ring_enter_consumers(q);
  if (result < 0) return (int)result;
  uint64_t truth = current(q, token);
  if (truth == 0) return (int)ring_leave_consumers(q, IPCKIT_E_STALE);
  uint64_t ready_at = delay_ns > 0 ? (uint64_t)ring_after(ring_now(), delay_ns) : 0;
  result = ring_give_back(q, token->cell, truth, ready_at);
  let_go(q);
  result = ring_leave_consumers(q, result);
  // Also for a delayed one: sleepers must learn when it is due. Too many deliveries end it, as a reject does.
  if (result == 0) {
    ring_wake(&q->h->items, ready_at == 0 ? 1 : INT_MAX);
    if (q->g.max_deliveries != 0) {
      ring_wake_space(q, 1);
      ring_wake_tasks(q);
    }
  }
  return (int)result;
}

int ipckit_queue_reject(ipckit_queue_t* q, const ipckit_token_t* token) {
  int64_t result = ring_enter_consumers(q);
  if (result < 0) return (int)result;
  uint64_t truth = current(q, token);
  if (truth == 0) return (int)ring_leave_consumers(q, IPCKIT_E_STALE);
  result = ring_end_rejected(q, token->cell, truth);
  let_go(q);
  result = ring_leave_consumers(q, result);
  if (result == 0) {
    ring_wake_space(q, 1);
    ring_wake_tasks(q);
  }
  return (int)result;
}

static int prolong(ring_queue* q, uint32_t cell, int64_t lease_ns) {
  ipckit_layout_cell_t* c = &q->cells[cell];
  bool timed = ring_load(&c->until) != 0;
  uint64_t until = lease_ns > 0 ? (uint64_t)ring_after(ring_now(), lease_ns) : 0;
  if (timed && until == 0) {
    int result = ring_heap_remove(q, RING_LEASED, cell);
    if (result < 0) return result;
  }
  ring_store(&c->until, until);  // commit point: a recovery orders the leases by it
  if (until == 0) return 0;
  return timed ? ring_heap_move(q, RING_LEASED, cell) : ring_heap_push(q, RING_LEASED, cell);
}

int ipckit_queue_extend(ipckit_queue_t* q, const ipckit_token_t* token, int64_t lease_ns) {
  if (lease_ns < 0) return -EINVAL;
  int64_t result = ring_enter_consumers(q);
  if (result < 0) return (int)result;
  uint64_t truth = current(q, token);
  result = truth == 0 ? IPCKIT_E_STALE : prolong(q, token->cell, lease_ns);
  return (int)ring_leave_consumers(q, result);
}

// Tasks.
int ring_tasks_reserve(ring_queue* q, size_t room) {
  pthread_mutex_lock(&q->tasks_lock);
  ring_tasks* tasks = &q->tasks;
  int result = 0;
  const size_t needed = tasks->count + tasks->reserved + room;
  if (tasks->head + needed > tasks->room) {
    if (tasks->count > 0)
      memmove(tasks->tokens, tasks->tokens + tasks->head, tasks->count * sizeof *tasks->tokens);
    tasks->head = 0;
    // Twice as much as needed, or the moving would be quadratic.
    if (2 * needed > tasks->room) {
      ipckit_token_t* tokens = realloc(tasks->tokens, 2 * needed * sizeof *tokens);
      if (tokens) {
        tasks->tokens = tokens;
        tasks->room = 2 * needed;
      } else if (needed > tasks->room) {
        result = -ENOMEM;
      }
    }
  }
  if (result == 0) tasks->reserved += room;
  pthread_mutex_unlock(&q->tasks_lock);
  return result;
}

void ring_tasks_add(ring_queue* q, const ipckit_message_t* messages, size_t count, size_t room) {
  pthread_mutex_lock(&q->tasks_lock);
  ring_tasks* tasks = &q->tasks;
  for (size_t i = 0; i < count && i < room; i++) {
    tasks->tokens[tasks->head + tasks->count++] = messages[i].token;
  }
  tasks->reserved -= room;
  pthread_mutex_unlock(&q->tasks_lock);
}

int ipckit_queue_task_done(ipckit_queue_t* q) {
  int usable = ring_usable(q);
  if (usable < 0) return usable;
  if (!(q->g.flags & IPCKIT_QUEUE_JOINABLE)) return -ENOTSUP;
  pthread_mutex_lock(&q->tasks_lock);
  ring_tasks* tasks = &q->tasks;
  if (tasks->count == 0) {
    pthread_mutex_unlock(&q->tasks_lock);
    return IPCKIT_E_TASKS;
  }
  ipckit_token_t token = tasks->tokens[tasks->head];
  tasks->head++;
  tasks->count--;
  pthread_mutex_unlock(&q->tasks_lock);
  return ipckit_queue_ack(q, &token);
}
