// See victim.h.
#include "victim.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char* const state_names[] = {"empty", "one", "half", "full-1", "full", "wrapped", "dead-owner"};

char name[64];
ledger* ledgers;
ipckit_queue_t* survivor;

size_t size_of(int id) {
  static const size_t sizes[] = {20, 100, 300};
  return sizes[id % 3];
}

static size_t write_message(int id, uint8_t* buffer) {
  size_t size = size_of(id);
  for (size_t i = 0; i < size; i++) buffer[i] = (uint8_t)(id * 131 + i * 7);
  memcpy(buffer, &id, sizeof id);
  return size;
}

int read_message(const uint8_t* buffer, int64_t length) {
  int id;
  uint8_t expected[LARGEST];
  memcpy(&id, buffer, sizeof id);
  if (id <= 0 || id > 1000 || (size_t)length != size_of(id)) return -1;
  write_message(id, expected);
  return memcmp(buffer, expected, (size_t)length) == 0 ? id : -1;
}

int put_message(ipckit_queue_t* q, int id) {
  uint8_t buffer[LARGEST];
  return ipckit_queue_try_put(q, buffer, write_message(id, buffer), 0);
}

// What the victim puts is written, and what it got is read, outside of the instructions that are counted.
static uint8_t bodies[3][LARGEST];
static uint8_t slab[4 * LARGEST];
static ipckit_message_t messages[4];

void write_bodies(void) {
  for (int i = 0; i < 3; i++) write_message(100 + i, bodies[i]);
}

// What a child is told.
typedef struct work {
  const operation* op;
  ledger* says;
  ipckit_queue_t* queue;
} work;

// What the victim does.
static void do_put(ipckit_queue_t* q, ledger* says, int id) {
  says->ids[0] = id;
  says->result = ipckit_queue_try_put(q, bodies[id - 100], size_of(id), 0);
}
static void put_small(ipckit_queue_t* q, ledger* says) { do_put(q, says, 102); }
static void put_block(ipckit_queue_t* q, ledger* says) { do_put(q, says, 100); }
static void put_large(ipckit_queue_t* q, ledger* says) { do_put(q, says, 101); }

static void put_many(ipckit_queue_t* q, ledger* says) {
  ipckit_slice_t slices[2] = {{bodies[0], size_of(100), 0}, {bodies[2], size_of(102), 0}};
  says->ids[0] = 100;
  says->ids[1] = 102;
  says->result = ipckit_queue_put_many(q, slices, 2, 0);
}

static int number_in(size_t offset) {
  int id;
  memcpy(&id, slab + offset, sizeof id);
  return id;
}

static void get_one(ipckit_queue_t* q, ledger* says) {
  says->result = ipckit_queue_try_get(q, slab, sizeof slab, NULL);
  if (says->result >= 0) says->ids[0] = number_in(0);
}

static void get_many(ipckit_queue_t* q, ledger* says) {
  says->result = ipckit_queue_get_many(q, slab, sizeof slab, messages, 4, 0);
  for (int i = 0; i < says->result; i++) says->ids[i] = number_in(messages[i].offset);
}

static ipckit_token_t token;

static void lease_one(ipckit_queue_t* q, ledger* says) {
  says->result = ipckit_queue_lease(q, slab, sizeof slab, messages, 0, 0);
  if (says->result >= 0) says->ids[0] = number_in(0);
  token = messages[0].token;
}

// Before those that need a lease.
static void hold(ipckit_queue_t* q, ledger* says) {
  lease_one(q, says);
  says->held = says->result >= 0 ? says->ids[0] : 0;
  says->ids[0] = 0;
}

static void hold_timed(ipckit_queue_t* q, ledger* says) {
  hold(q, says);
  if (says->held) ipckit_queue_extend(q, &token, 3600 * RING_SECOND);
}

static void ack_it(ipckit_queue_t* q, ledger* says) { says->result = ipckit_queue_ack(q, &token); }
static void nack_it(ipckit_queue_t* q, ledger* says) { says->result = ipckit_queue_nack(q, &token, 0); }
static void nack_later(ipckit_queue_t* q, ledger* says) {
  says->result = ipckit_queue_nack(q, &token, RING_MILLISECOND);
}
static void extend_it(ipckit_queue_t* q, ledger* says) {
  says->result = ipckit_queue_extend(q, &token, 7200 * RING_SECOND);
}
static void reject_it(ipckit_queue_t* q, ledger* says) { says->result = ipckit_queue_reject(q, &token); }
static void detach(ipckit_queue_t* q, ledger* says) { says->result = ipckit_queue_close(q); }
static void sweep(ipckit_queue_t* q, ledger* says) { says->result = ipckit_queue_sweep(q); }
static void shut_down(ipckit_queue_t* q, ledger* says) { says->result = ipckit_queue_shutdown(q, 0); }
static void clear_all(ipckit_queue_t* q, ledger* says) { says->result = ipckit_queue_clear(q); }
static void attach(ipckit_queue_t* q, ledger* says) {
  (void)q;
  says->result = ipckit_queue_open(name, NULL, NULL, &q);
}

const operation operations[] = {
    {"put", PUTS, NULL, put_small, true},
    {"put-block", PUTS, NULL, put_block, true},
    {"put-large", PUTS, NULL, put_large, true},
    {"put-many", PUTS, NULL, put_many, true},
    {"get", GETS, NULL, get_one, true},
    {"get-many", GETS, NULL, get_many, true},
    {"lease", LEASES, NULL, lease_one, true},
    {"ack", ACKS, hold, ack_it, true},
    {"ack-timed", ACKS, hold_timed, ack_it, true},
    {"nack", RETURNS, hold, nack_it, true},
    {"nack-later", RETURNS, hold_timed, nack_later, true},
    {"extend", RETURNS, hold_timed, extend_it, true},
    {"reject", REJECTS, hold, reject_it, true},
    {"attach", NOTHING, NULL, attach, false},
    {"detach", RETURNS, hold, detach, true},
    {"recover", NOTHING, NULL, sweep, true},
    {"shutdown", NOTHING, NULL, shut_down, true},
    {"clear", CLEARS, NULL, clear_all, true},
};
const operation* const attaching = &operations[13];
const operation* const recovering = &operations[15];

// Processes.
static void prepare_it(void* context) {
  work* w = context;
  if (w->op->attached && ipckit_queue_open(name, NULL, NULL, &w->queue) != 0) _exit(3);
  if (w->op->prepare) w->op->prepare(w->queue, w->says);
}

static void run_it(void* context) {
  work* w = context;
  w->op->run(w->queue, w->says);
}

victim start(const operation* op, int number) {
  victim v = {.says = &ledgers[number]};
  memset(v.says, 0, sizeof *v.says);
  work w = {op, v.says, NULL};
  v.traced = start_tracee(&v.says->at, prepare_it, run_it, &w);
  return v;
}

void leave_a_dead_owner(void) {
  pid_t pid = fork();
  if (pid == 0) {
    ipckit_queue_t* q;
    uint8_t buffer[LARGEST];
    ipckit_message_t message;
    if (ipckit_queue_open(name, NULL, NULL, &q) != 0) _exit(1);
    if (ipckit_queue_lease(q, buffer, sizeof buffer, &message, 0, 0) < 0) _exit(1);
    if (ring_enter_both(q) < 0) _exit(1);
    kill(getpid(), SIGKILL);
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) give_up("no dead owner");
}

int arrange(enum state state) {
  static const int counts[] = {0, 1, 2, CAPACITY - 1, CAPACITY, 2, 3};
  ipckit_queue_options_t options = {.capacity = CAPACITY,
                                    .dead_capacity = 2,
                                    .capacity_bytes = CAPACITY_BYTES,
                                    .max_message_bytes = LARGEST,
                                    .block_bytes = 64,
                                    .copy_outside_bytes = OUTSIDE,
                                    .priorities = 2,
                                    .participants = 6};
  ipckit_queue_unlink(name, NULL);
  if (ipckit_queue_create(name, &options, NULL, &survivor) != 0) give_up("create");
  uint8_t buffer[LARGEST];
  if (state == WRAPPED) {
    for (int i = 0; i < 11; i++) {
      if (put_message(survivor, 500 + i) != 0 ||
          ipckit_queue_try_get(survivor, buffer, sizeof buffer, NULL) < 0) {
        give_up("wrapping");
      }
    }
  }
  for (int id = 1; id <= counts[state]; id++) {
    if (put_message(survivor, id) != 0) give_up("arranging");
  }
  return counts[state];
}

victim start_in(enum state state, const operation* op) {
  if (state == DEAD_OWNER && !op->attached) leave_a_dead_owner();
  victim v = start(op, 0);
  if (state == DEAD_OWNER && op->attached) leave_a_dead_owner();
  return v;
}
