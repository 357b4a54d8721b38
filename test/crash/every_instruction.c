// Kills a process at every instruction of every operation, and looks at what the others find.
//
//   every_instruction [--snapshots | --full | --seconds N] [--recovery] [--seed S] [--operation NAME]
//   [--state NAME]
//                     [--at K [--second J]]
//
// For each operation and state of the queue a victim runs under ptrace, one instruction at a time. Then a
// survivor works on, and an auditor compares what it finds with what the victim said in a ledger outside of
// the queue.
//
//   --seconds N   kills with SIGKILL at random instructions of all pairs, for that long (the default: 60)
//   --full        kills with SIGKILL at every instruction: quadratic, hours for the long operations
//   --snapshots   after every instruction copies the file, if it changed, and audits the copy. A copy is what
//   SIGKILL
//                 leaves: the same bytes, and no lock of anybody. So each instruction is visited once
//   --recovery    kills the recovery too: a second process recovers from the first one's death and dies in
//   turn
//
// Prints counts and the seed; a violation is a line that can be run again with --at, and exit code 1.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipckit/queue.h"
#include "ring/queue.h"

#define CAPACITY 4
#define LARGEST 400
#define OUTSIDE 128
#define HARD_BOUND (2 * RING_SECOND)

enum state { EMPTY, ONE, HALF, ALMOST_FULL, FULL, WRAPPED, DEAD_OWNER, STATES };
static const char* const state_names[] = {"empty", "one", "half", "full-1", "full", "wrapped", "dead-owner"};

// What the victim says about itself, in memory that only it writes.
typedef struct ledger {
  volatile int began;
  volatile int returned;
  volatile int64_t result;
  volatile int ids[8];  // what it took, or put
  volatile int held;    // id that it held before the operation began, or 0
} ledger;

typedef struct victim {
  pid_t pid;
  ledger* says;
} victim;

static char name[64];
static uint64_t seed;
static ledger* ledgers;
static ipckit_queue_t* survivor;
static char description[200];
static unsigned long violations;
static int64_t slowest;
static unsigned long runs;

static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

// Messages: the body follows from the number.
static size_t size_of(int id) {
  static const size_t sizes[] = {20, 100, 300};
  return sizes[id % 3];
}

static size_t write_message(int id, uint8_t* buffer) {
  size_t size = size_of(id);
  for (size_t i = 0; i < size; i++) buffer[i] = (uint8_t)(id * 131 + i * 7);
  memcpy(buffer, &id, sizeof id);
  return size;
}

// The number of the message, or -1 when it is torn.
static int read_message(const uint8_t* buffer, int64_t length) {
  int id;
  uint8_t expected[LARGEST];
  memcpy(&id, buffer, sizeof id);
  if (id <= 0 || id > 1000 || (size_t)length != size_of(id)) return -1;
  write_message(id, expected);
  return memcmp(buffer, expected, (size_t)length) == 0 ? id : -1;
}

static int put_message(ipckit_queue_t* q, int id) {
  uint8_t buffer[LARGEST];
  return ipckit_queue_try_put(q, buffer, write_message(id, buffer), 0);
}

// What the victim puts is written, and what it got is read, outside of the instructions that are counted.
static uint8_t bodies[3][LARGEST];
static uint8_t slab[4 * LARGEST];
static ipckit_message_t messages[4];

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

enum kind { PUTS, GETS, LEASES, ACKS, RETURNS, REJECTS, CLEARS, NOTHING };
typedef struct operation {
  const char* name;
  enum kind kind;
  void (*prepare)(ipckit_queue_t*, ledger*);
  void (*run)(ipckit_queue_t*, ledger*);
  bool attached;  // it opens the queue before the operation begins
} operation;

static const operation operations[] = {
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
#define OPERATIONS (sizeof operations / sizeof *operations)

// Processes.
static void complain(const char* what, long a, long b) {
  violations++;
  printf("VIOLATION %s: %s (%ld, %ld)\n", description, what, a, b);
  fflush(stdout);
}

static void give_up(const char* what) {
  printf("every_instruction: %s: %s: %s\n", description, what, strerror(errno));
  exit(2);
}

// Starts a victim and returns when it stands before its operation.
static victim start(const operation* op, int number) {
  victim v = {.says = &ledgers[number]};
  memset(v.says, 0, sizeof *v.says);
  v.pid = fork();
  if (v.pid < 0) give_up("fork");
  if (v.pid == 0) {
    ipckit_queue_t* q = NULL;
    if (op->attached && ipckit_queue_open(name, NULL, NULL, &q) != 0) _exit(3);
    if (op->prepare) op->prepare(q, v.says);
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    v.says->began = 1;
    op->run(q, v.says);
    v.says->returned = 1;
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  if (waitpid(v.pid, &status, 0) != v.pid || !WIFSTOPPED(status)) give_up("the victim did not begin");
  return v;
}

// Runs it for at most `steps` instructions of its operation and kills it. Returns how many there were. `look`
// is called before each of them and after the last.
static long kill_after(victim* v, long steps, void (*look)(void*, long), void* context) {
  long done = 0;
  while (done < steps && !v->says->returned) {
    if (look) look(context, done);
    if (ptrace(PTRACE_SINGLESTEP, v->pid, NULL, NULL) < 0) give_up("ptrace");
    int status;
    if (waitpid(v->pid, &status, 0) != v->pid) give_up("waitpid");
    if (!WIFSTOPPED(status)) {
      complain("the victim ended by itself, status", status, 0);
      return done;
    }
    if (WSTOPSIG(status) != SIGTRAP) {
      complain("the victim got a signal", WSTOPSIG(status), 0);
      break;
    }
    if (v->says->began) done++;
  }
  if (look) look(context, done);
  kill(v->pid, SIGKILL);
  while (waitpid(v->pid, NULL, 0) < 0 && errno == EINTR) {
  }
  return done;
}

// A process that leased the first message, holds both locks and is dead.
static void leave_a_dead_owner(void) {
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

// Returns how many messages stand in the queue; they are numbered from 1.
static int arrange(enum state state) {
  static const int counts[] = {0, 1, 2, CAPACITY - 1, CAPACITY, 2, 3};
  ipckit_queue_options_t options = {.capacity = CAPACITY,
                                    .dead_capacity = 2,
                                    .capacity_bytes = (CAPACITY + 2) * 320,
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

// The auditor.
typedef struct finding {
  int count;  // how often it was in the queue
  int dead;   // and among the dead letters
  uint32_t delivery_count;
} finding;

static finding found[1001];

static int64_t timed(int64_t started) {
  int64_t took = ring_now() - started;
  if (took > slowest) slowest = took;
  if (took > HARD_BOUND) complain("the survivor waited too long, ms", (long)(took / RING_MILLISECOND), 0);
  return took;
}

// Takes everything out of the queue; messages must come in the order of their numbers.
static void drain(void) {
  int last = 0;
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
    if (id <= last) complain("I7: order", last, id);
    last = id;
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
  const bool sure = says->returned && says->result >= 0;
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
  if (f->count == 0 && !may_be_gone) complain("I1: a message lost", id, says->returned);
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
    bool put = says->returned && says->result >= 0 && (says->result == 0 || i < says->result);
    bool refused = says->returned && !put;
    if (put && found[id].count != 1) complain("I1: a message lost that was put", id, found[id].count);
    if (refused && found[id].count != 0) complain("I2: a message that was refused", id, found[id].count);
    if (found[id].count > 1) complain("I3: a message twice", id, found[id].count);
    if (found[id].count == 1 && found[id].delivery_count != 1) complain("I4: deliveryCount", id, 0);
    if (i == 1 && found[id].count == 1 && found[says->ids[0]].count == 0)
      complain("I7: a batch with a hole", id, 0);
  }
}

// The queue is empty now; it must be as good as new.
static void judge_space(void) {
  ipckit_queue_stat_t stat;
  if (ipckit_queue_stat(survivor, &stat) != 0) return complain("stat", 0, 0);
  if (stat.depth != 0 || stat.in_flight != 0)
    complain("I8: not empty", (long)stat.depth, (long)stat.in_flight);
  if (stat.dead != 0) complain("I8: dead letters left", (long)stat.dead, 0);
  if (stat.participants != 1) complain("I8: participants", stat.participants, 0);
  if (stat.free_bytes != (CAPACITY + 2) * 320) complain("I8: bytes", (long)stat.free_bytes, 0);
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

static void audit(const operation* op, enum state state, const ledger* says, int messages) {
  memset(found, 0, sizeof found);
  // Delayed returns are due after a millisecond.
  if (op->run == nack_later) usleep(1100);
  // First an ordinary operation, which meets the locks of the dead; then what a waiter does when its wait is
  // over.
  uint8_t buffer[LARGEST];
  int64_t started = ring_now();
  ipckit_queue_peek(survivor, buffer, sizeof buffer, NULL);
  timed(started);
  started = ring_now();
  int swept = ipckit_queue_sweep(survivor);
  timed(started);
  if (swept < 0) return complain(ipckit_strerror(swept), swept, 0);
  drain();
  collect_dead_letters();
  for (int id = 1; id <= messages; id++)
    judge(op, says, id, state == DEAD_OWNER && id == (op->prepare ? 2 : 1));
  if (op->kind == PUTS) judge_puts(says);
  judge_space();
}

// Runs.
// One victim, and with `second` >= 0 another one that recovers. Returns the instructions of the last one.
static long run(const operation* op, enum state state, long first, long second) {
  snprintf(description, sizeof description, "--operation %s --state %s --at %ld --second %ld", op->name,
           state_names[state], first, second);
  alarm(20);
  int messages = arrange(state);
  victim other = {0};
  if (second >= 0) other = start(&operations[15], 1);
  // Whoever attaches recovers, so the victim stands ready before there is a dead owner.
  if (state == DEAD_OWNER && !op->attached) leave_a_dead_owner();
  victim v = start(op, 0);
  if (state == DEAD_OWNER && op->attached) leave_a_dead_owner();
  long steps = kill_after(&v, first, NULL, NULL);
  if (second >= 0) steps = kill_after(&other, second, NULL, NULL);
  audit(op, state, v.says, messages);
  ipckit_queue_close(survivor);
  ipckit_queue_unlink(name, NULL);
  runs++;
  return steps;
}

// Snapshots.
// The bytes of a queue file, mapped without taking part.
typedef struct image {
  uint8_t* bytes;
  size_t size;
} image;

static image look_at(const char* queue) {
  char path[128];
  snprintf(path, sizeof path, "/dev/shm/ipckit.%s", queue + 1);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat file;
  if (fd < 0 || fstat(fd, &file) < 0) give_up("look_at");
  image i = {.size = (size_t)file.st_size};
  i.bytes = mmap(NULL, i.size, PROT_READ, MAP_SHARED, fd, 0);
  if (i.bytes == MAP_FAILED) give_up("look_at");
  close(fd);
  return i;
}

static void write_copy(const char* queue, const uint8_t* bytes, size_t size) {
  char path[128];
  snprintf(path, sizeof path, "/dev/shm/ipckit.%s", queue + 1);
  unlink(path);
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) give_up("write_copy");
  close(fd);
}

// What is looked at while a victim is stepped.
typedef struct watch {
  const operation* op;
  enum state state;
  int messages;
  const ledger* says;  // of the one who did the operation
  image now;
  uint8_t* last;
  int last_returned;
  bool recovery;  // each state is recovered from by another victim, which is watched in turn
  unsigned long states;
  long first;  // instruction of the operation, while its recovery is watched
} watch;

static void audit_copy(const watch* w) {
  char copy[80];
  snprintf(copy, sizeof copy, "%s-copy", name);
  write_copy(copy, w->last, w->now.size);
  ipckit_queue_t* attached = survivor;
  int64_t started = ring_now();
  int opened = ipckit_queue_open(copy, NULL, NULL, &survivor);
  timed(started);
  if (opened != 0) {
    complain(ipckit_strerror(opened), opened, 0);
  } else {
    audit(w->op, w->state, w->says, w->messages);
    ipckit_queue_close(survivor);
  }
  ipckit_queue_unlink(copy, NULL);
  survivor = attached;
  runs++;
}

static void watch_recovery(watch* w);

static void look(void* context, long step) {
  watch* w = context;
  bool changed = memcmp(w->last, w->now.bytes, w->now.size) != 0;
  if (w->states != 0 && !changed && w->says->returned == w->last_returned) return;
  memcpy(w->last, w->now.bytes, w->now.size);
  w->last_returned = w->says->returned;
  w->states++;
  alarm(60);
  snprintf(description, sizeof description, "--operation %s --state %s --at %ld --second %ld", w->op->name,
           state_names[w->state], w->first >= 0 ? w->first : step, w->first >= 0 ? step : -1);
  if (!w->recovery) return audit_copy(w);
  w->first = step;
  watch_recovery(w);
  w->first = -1;
}

// A process attaches to a copy, which recovers, and each state on the way is audited.
static void watch_recovery(watch* w) {
  char original[sizeof name];
  memcpy(original, name, sizeof name);
  snprintf(name, sizeof name, "%.40s-first", original);
  write_copy(name, w->last, w->now.size);
  watch second = *w;
  second.recovery = false;
  second.states = 0;
  second.now = look_at(name);
  second.last = malloc(second.now.size);
  if (!second.last) give_up("malloc");
  memcpy(second.last, w->last, w->now.size);
  victim v = start(&operations[13], 1);
  kill_after(&v, LONG_MAX, look, &second);
  ipckit_queue_unlink(name, NULL);
  munmap(second.now.bytes, second.now.size);
  free(second.last);
  memcpy(name, original, sizeof name);
}

static void run_snapshots(const operation* op, enum state state, bool recovery) {
  unsigned long before = violations, audited = runs;
  alarm(60);
  snprintf(description, sizeof description, "--operation %s --state %s", op->name, state_names[state]);
  watch w = {.op = op, .state = state, .recovery = recovery, .first = -1};
  w.messages = arrange(state);
  if (state == DEAD_OWNER && !op->attached) leave_a_dead_owner();
  victim v = start(op, 0);
  if (state == DEAD_OWNER && op->attached) leave_a_dead_owner();
  w.says = v.says;
  w.now = look_at(name);
  w.last = malloc(w.now.size);
  if (!w.last) give_up("malloc");
  long steps = kill_after(&v, LONG_MAX, look, &w);
  munmap(w.now.bytes, w.now.size);
  free(w.last);
  ipckit_queue_close(survivor);
  ipckit_queue_unlink(name, NULL);
  printf("%-11s %-11s %5ld instructions, %4lu states, %7lu audits, %lu violations\n", op->name,
         state_names[state], steps, w.states, runs - audited, violations - before);
  fflush(stdout);
}

static void too_slow(int signal) {
  (void)signal;
  static const char text[] = "VIOLATION I9: hangs at ";
  (void)!write(1, text, sizeof text - 1);
  (void)!write(1, description, strlen(description));
  (void)!write(1, "\n", 1);
  _exit(1);
}

typedef struct request {
  bool full, snapshots, recovery;
  long seconds, at, second;
  const char *operation, *state;
} request;

static bool wanted(const request* r, size_t op, int state) {
  return (!r->operation || strcmp(r->operation, operations[op].name) == 0) &&
         (!r->state || strcmp(r->state, state_names[state]) == 0);
}

static void run_all(const request* r) {
  for (size_t op = 0; op < OPERATIONS; op++) {
    for (int state = 0; state < STATES; state++) {
      if (!wanted(r, op, state)) continue;
      unsigned long before = violations;
      long steps = run(&operations[op], (enum state)state, LONG_MAX, -1);
      long pairs = 0;
      for (long k = 0; k <= steps; k++) {
        if (!r->recovery) {
          run(&operations[op], (enum state)state, k, -1);
          continue;
        }
        if (k % 7 != (long)(seed % 7)) continue;
        long recovery = run(&operations[op], (enum state)state, k, LONG_MAX);
        for (long j = (long)(next_random() % 23); j <= recovery; j += 23, pairs++) {
          run(&operations[op], (enum state)state, k, j);
        }
      }
      printf("%-11s %-11s %5ld instructions, %6ld pairs, %lu violations\n", operations[op].name,
             state_names[state], steps, pairs, violations - before);
      fflush(stdout);
    }
  }
}

// Every pair of operation and state in turn, each at a random instruction, until the time is over.
static void run_sampled(const request* r) {
  static long lengths[OPERATIONS][STATES];
  const int64_t end = ring_now() + r->seconds * RING_SECOND;
  for (unsigned long round = 0; ring_now() < end; round++) {
    for (size_t op = 0; op < OPERATIONS; op++) {
      for (int state = 0; state < STATES && ring_now() < end; state++) {
        if (!wanted(r, op, state)) continue;
        long* length = &lengths[op][state];
        if (*length == 0) *length = run(&operations[op], (enum state)state, LONG_MAX, -1);
        long first = (long)(next_random() % (uint64_t)(*length + 1));
        long second = r->recovery ? (long)(next_random() % 4000) : -1;
        run(&operations[op], (enum state)state, first, second);
      }
    }
  }
}

int main(int argc, char** argv) {
  request r = {.at = -1, .second = -1, .seconds = 60};
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  seed = (uint64_t)now.tv_nsec * 2654435761U + (uint64_t)getpid();
  for (int i = 1; i < argc; i++) {
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--full") == 0)
      r.full = true;
    else if (strcmp(argv[i], "--snapshots") == 0)
      r.snapshots = true;
    else if (strcmp(argv[i], "--recovery") == 0)
      r.recovery = true;
    else if (strcmp(argv[i], "--seconds") == 0)
      r.seconds = atol(value), i++;
    else if (strcmp(argv[i], "--seed") == 0)
      seed = strtoull(value, NULL, 0), i++;
    else if (strcmp(argv[i], "--operation") == 0)
      r.operation = value, i++;
    else if (strcmp(argv[i], "--state") == 0)
      r.state = value, i++;
    else if (strcmp(argv[i], "--at") == 0)
      r.at = atol(value), i++;
    else if (strcmp(argv[i], "--second") == 0)
      r.second = atol(value), i++;
    else
      return fprintf(stderr, "every_instruction: unknown option %s\n", argv[i]), 2;
  }
  if (seed == 0) seed = 1;
  printf("seed %llu\n", (unsigned long long)seed);
  snprintf(name, sizeof name, "/ipckit-killed-%d", (int)getpid());
  ledgers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  signal(SIGALRM, too_slow);
  for (int i = 0; i < 3; i++) write_message(100 + i, bodies[i]);
  // On one processor, where a step costs two switches and no interrupt of another processor.
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(sched_getcpu(), &here);
  sched_setaffinity(0, sizeof here, &here);
  const int64_t started = ring_now();
  if (r.at >= 0) {
    for (size_t op = 0; op < OPERATIONS; op++) {
      for (int state = 0; state < STATES; state++) {
        if (wanted(&r, op, state)) run(&operations[op], (enum state)state, r.at, r.second);
      }
    }
  } else if (r.snapshots) {
    for (size_t op = 0; op < OPERATIONS; op++) {
      for (int state = 0; state < STATES; state++) {
        if (wanted(&r, op, state)) run_snapshots(&operations[op], (enum state)state, r.recovery);
      }
    }
  } else if (r.full) {
    run_all(&r);
  } else {
    run_sampled(&r);
  }
  double took = (double)(ring_now() - started) / RING_SECOND;
  printf("%lu %s in %.0f s (%.0f/s), slowest call of a survivor %.1f ms, %lu violations\n", runs,
         r.snapshots ? "states audited" : "kills", took, (double)runs / took,
         (double)slowest / RING_MILLISECOND, violations);
  return violations != 0;
}
