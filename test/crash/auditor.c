// See auditor.h; docs/shm-queue.md tells the invariants I1 to I10.
#include "auditor.h"

#include <string.h>
#include <unistd.h>

#define HARD_BOUND (2 * RING_SECOND)

finding found[1001];
int64_t slowest;

int64_t timed(int64_t started) {
  int64_t took = ring_now() - started;
  if (took > slowest) slowest = took;
  if (took > HARD_BOUND) complain("the survivor waited too long, ms", (long)(took / RING_MILLISECOND), 0);
  return took;
}

static void drain(bool one_by_one) {
  int last[11] = {0};
  for (int turn = 0; turn < 20; turn++) {
    uint8_t buffer[LARGEST];
    ipckit_message_t message;
    int64_t started = ring_now();
    int64_t length = ipckit_queue_lease(survivor, buffer, sizeof buffer, &message, 0, 0);
    timed(started);
    if (length == -EAGAIN || length == IPCKIT_E_SHUTDOWN) return;
    if (length < 0) return complain(ipckit_strerror((int)length), length, 0);
    int id = read_message(buffer, length);
    if (id < 0) return complain("I2: a torn message", length, 0);
    found[id].count++;
    found[id].delivery_count = message.delivery_count;
    if (message.redelivered != (message.delivery_count > 1))
      complain("I4: redelivered", id, message.delivery_count);
    // The numbers of each producer begin with another hundred.
    int* before = &last[one_by_one ? 0 : id / 100];
    if (id <= *before) complain("I7: order", *before, id);
    *before = id;
    if (ipckit_queue_ack(survivor, &message.token) != 0) complain("I5: ack refused", id, 0);
    if (ipckit_queue_ack(survivor, &message.token) != IPCKIT_E_STALE)
      complain("I5: second ack accepted", id, 0);
  }
  complain("the queue does not become empty", 0, 0);
}

static void collect_dead_letters(void) {
  uint8_t buffer[LARGEST];
  for (int turn = 0; turn < 10; turn++) {
    int64_t length = ipckit_queue_get_dead(survivor, buffer, sizeof buffer, NULL);
    if (length == -EAGAIN) return;
    int id = length < 0 ? -1 : read_message(buffer, length);
    if (id < 0) return complain("I2: a torn dead letter", length, 0);
    found[id].dead++;
  }
}

static bool contains(const ledger* says, int id) {
  for (int i = 0; i < 8; i++) {
    if (says->ids[i] == id) return true;
  }
  return false;
}

// Compares one message that stood in the queue with what became of it.
static void judge(const operation* op, const ledger* says, int id, bool held_by_dead) {
  const finding* f = &found[id];
  const bool sure = says->at.returned && says->result >= 0;
  const bool touched =
      op->kind == GETS || op->kind == LEASES ? (sure ? contains(says, id) : true) : id == says->held;
  if (f->count + f->dead > 1) complain("I4: a message twice", id, f->count);
  if (op->kind == REJECTS && touched) {
    if (f->count + f->dead != 1) complain("I1: rejected message lost", id, f->count);
    if (sure && f->dead != 1) complain("rejected message is not dead", id, f->count);
    return;
  }
  if (f->dead) complain("a dead letter that nobody rejected", id, 0);
  const bool may_be_gone = op->kind == CLEARS || ((op->kind == GETS || op->kind == ACKS) && touched);
  if (f->count == 0 && !may_be_gone) complain("I1: a message lost", id, says->at.returned);
  if (f->count == 1 && sure && touched && (op->kind == GETS || op->kind == ACKS)) {
    complain("I5: delivered after it was acknowledged", id, f->delivery_count);
  }
  if (f->count == 0) return;
  uint32_t least = 1, most = 1;
  if (op->kind != CLEARS && touched && (op->kind != GETS || size_of(id) > OUTSIDE)) most++;
  if (op->kind == LEASES && sure && touched) least++;
  if (says->held == id) least++, most = 2;
  if (held_by_dead) least++, most++;
  if (f->delivery_count < least || f->delivery_count > most)
    complain("I4: deliveryCount", id, f->delivery_count);
}

static void judge_puts(const ledger* says) {
  for (int i = 0; i < 2; i++) {
    int id = says->ids[i];
    if (id == 0) continue;
    bool put = says->at.returned && says->result >= 0 && (says->result == 0 || i < says->result);
    bool refused = says->at.returned && !put;
    if (put && found[id].count != 1) complain("I1: a message lost that was put", id, found[id].count);
    if (refused && found[id].count != 0) complain("I2: a message that was refused", id, found[id].count);
    if (found[id].count > 1) complain("I3: a message twice", id, found[id].count);
    if (found[id].count == 1 && found[id].delivery_count != 1) complain("I4: deliveryCount", id, 0);
    if (i == 1 && found[id].count == 1 && found[says->ids[0]].count == 0)
      complain("I7: a batch with a hole", id, 0);
  }
}

void judge_space(void) {
  ipckit_queue_stat_t stat;
  if (ipckit_queue_stat(survivor, &stat) != 0) return complain("stat", 0, 0);
  if (stat.depth != 0 || stat.in_flight != 0)
    complain("I8: not empty", (long)stat.depth, (long)stat.in_flight);
  if (stat.dead != 0) complain("I8: dead letters left", (long)stat.dead, 0);
  if (stat.participants != 1) complain("I8: participants", stat.participants, 0);
  if (stat.free_bytes != CAPACITY_BYTES) complain("I8: bytes", (long)stat.free_bytes, 0);
  int sound = ipckit_queue_verify(survivor);
  if (sound != 0) complain("I8: the indices disagree with the truth", sound, 0);
  if (stat.state != IPCKIT_STATE_OPEN) return;
  for (int lap = 0; lap < 2; lap++) {
    for (int i = 0; i < CAPACITY; i++) {
      int64_t started = ring_now();
      if (put_message(survivor, 600 + i) != 0) complain("I8: no room", lap, i);
      timed(started);
    }
    if (put_message(survivor, 700) != -EAGAIN) complain("I8: too much room", lap, 0);
    for (int i = 0; i < CAPACITY; i++) {
      uint8_t buffer[LARGEST];
      int64_t length = ipckit_queue_try_get(survivor, buffer, sizeof buffer, NULL);
      if (length < 0 || read_message(buffer, length) != 600 + i) complain("I7: lap", lap, i);
    }
  }
}

bool empty_queue(const operation* op, bool one_by_one) {
  memset(found, 0, sizeof found);
  // Delayed returns are due after a millisecond.
  if (op->kind == RETURNS) usleep(1100);
  // First an ordinary operation, which meets the locks of the dead; then what a waiter does when its wait is
  // over.
  uint8_t buffer[LARGEST];
  int64_t started = ring_now();
  ipckit_queue_peek(survivor, buffer, sizeof buffer, NULL);
  timed(started);
  started = ring_now();
  int swept = ipckit_queue_sweep(survivor);
  timed(started);
  if (swept < 0) return complain(ipckit_strerror(swept), swept, 0), false;
  drain(one_by_one);
  collect_dead_letters();
  return true;
}

void audit_death(const operation* op, enum state state, const ledger* says, int messages) {
  if (!empty_queue(op, true)) return;
  for (int id = 1; id <= messages; id++)
    judge(op, says, id, state == DEAD_OWNER && id == (op->prepare ? 2 : 1));
  if (op->kind == PUTS) judge_puts(says);
  judge_space();
}
