// See paused.h. A victim that is stopped while it holds a lock is in the way of those who need it: they are
// told IPCKIT_E_HELD within two seconds. In the way of everyone else it is never.
#include "paused.h"

#include <string.h>

#include "auditor.h"

#define FIRST_OF_PEER 200

pauses paused;

// What the peer did.
typedef struct peer {
  int put;           // how many of its messages it put, from FIRST_OF_PEER on
  bool taken[1001];  // what it leased and acknowledged
} peer;

// Nobody but the victim and us is alive.
static bool victim_holds(uint32_t* lock) {
  uint32_t word = ring_load(lock);
  return word != 0 && (word & 0x7ff) - 1 != survivor->people.slot &&
         ring_lock_owner_lives(word, &survivor->people);
}

// Whether an operation of that side may have to wait for the victim. Who meets a lock of the dead needs all
// three.
static bool stands_in_the_way(enum state state, bool putting) {
  ipckit_layout_header_t* h = survivor->h;
  const bool producers = victim_holds(&h->producer_lock), consumers = victim_holds(&h->consumer_lock);
  if (state == DEAD_OWNER) return producers || consumers || victim_holds(&h->recovery_lock);
  return putting ? producers : consumers;
}

static void peer_puts(peer* p, const operation* op, bool in_the_way) {
  const int64_t started = ring_now();
  int result = put_message(survivor, FIRST_OF_PEER + p->put);
  timed(started);
  if (result == 0)
    p->put++;
  else if (result == IPCKIT_E_HELD && in_the_way)
    paused.held++;
  else if (result != -EAGAIN && !(result == IPCKIT_E_SHUTDOWN && op->kind == NOTHING))
    complain(ipckit_strerror(result), result, 0);
}

static void peer_takes(peer* p, const operation* op, bool in_the_way, int messages) {
  uint8_t buffer[LARGEST];
  ipckit_message_t message;
  const int64_t started = ring_now();
  int64_t length = ipckit_queue_lease(survivor, buffer, sizeof buffer, &message, 0, 0);
  if (length < 0) timed(started);
  if (length == IPCKIT_E_HELD && in_the_way) {
    paused.held++;
  } else if (length == -EAGAIN || (length == IPCKIT_E_SHUTDOWN && op->kind == NOTHING)) {
    // Where the victim takes nothing, what is there must come.
    for (int id = 1; id <= messages && op->kind == PUTS; id++) {
      if (!p->taken[id] && !in_the_way) complain("the peer found nothing", id, length);
    }
  } else if (length < 0) {
    complain(ipckit_strerror((int)length), length, 0);
  } else {
    int id = read_message(buffer, length);
    if (id < 0) return complain("I2: a torn message", length, 0);
    int acked = ipckit_queue_ack(survivor, &message.token);
    timed(started);
    if (acked != 0) return complain("I5: ack refused", id, acked);
    if (p->taken[id]) complain("I5: a message twice to the peer", id, 0);
    p->taken[id] = true;
  }
}

static void work(peer* p, const operation* op, enum state state, int calls, unsigned hold_every,
                 int messages) {
  const bool puts_first = next_random() % 2;
  for (int call = 0; call < calls; call++) {
    const bool putting = (call % 2 == 0) == puts_first;
    const bool in_the_way = stands_in_the_way(state, putting);
    if (in_the_way && next_random() % hold_every != 0) {
      paused.spared++;
      continue;
    }
    if (putting)
      peer_puts(p, op, in_the_way);
    else
      peer_takes(p, op, in_the_way, messages);
  }
}

// How often the victim itself took the message for good.
static int taken_by_victim(const operation* op, const ledger* says, int id) {
  if (says->result < 0) return 0;
  if (op->kind == ACKS) return id == says->held;
  if (op->kind != GETS) return 0;
  for (int i = 0; i < 8; i++) {
    if (says->ids[i] == id) return 1;
  }
  return 0;
}

static bool was_put(const operation* op, const peer* p, const ledger* says, int id, int messages) {
  if (id <= messages) return true;
  if (id >= FIRST_OF_PEER) return id < FIRST_OF_PEER + p->put;
  if (op->kind != PUTS || says->result < 0) return false;
  return id == says->ids[0] || (id == says->ids[1] && says->result == 2);
}

static void judge(const operation* op, const peer* p, const ledger* says, int messages) {
  const bool nothing_to_settle = says->result == IPCKIT_E_STALE && op->prepare && says->held == 0;
  if (says->result == IPCKIT_E_HELD)
    paused.late++;
  else if (says->result < 0 && says->result != -EAGAIN && !nothing_to_settle)
    complain(ipckit_strerror((int)says->result), says->result, 0);
  long missing = 0;
  for (int id = 1; id <= 1000; id++) {
    const int times = taken_by_victim(op, says, id) + p->taken[id] + found[id].count + found[id].dead;
    const bool put = was_put(op, p, says, id, messages);
    if (times > put) complain("I5: a message too often", id, times);
    missing += put && times == 0;
    if (put && times == 0 && op->kind != CLEARS) complain("I1: a message lost", id, 0);
    if (found[id].dead && !(op->kind == REJECTS && id == says->held)) complain("a dead letter", id, 0);
  }
  if (op->kind == CLEARS && says->result >= 0 && missing != says->result)
    complain("I1: more or fewer gone than were cleared", missing, says->result);
}

long run_paused(const operation* op, enum state state, long at, int calls, unsigned hold_every) {
  int messages = arrange(state);
  victim v = start_in(state, op);
  long done = step(&v.traced, at, NULL, NULL);
  peer p = {0};
  work(&p, op, state, calls, hold_every, messages);
  finish(&v.traced);
  put_to_death(&v.traced);
  if (empty_queue(op, false)) {
    judge(op, &p, v.says, messages);
    judge_space();
  }
  ipckit_queue_close(survivor);
  ipckit_queue_unlink(name, NULL);
  return done;
}
