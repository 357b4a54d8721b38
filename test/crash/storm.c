// A kill storm: producers and consumers work on one queue while they are killed, stopped, asked to end and
// started at random, and an auditor reads their ledgers.
//
//   storm [--seconds N | --kills N] [--producers N] [--consumers N] [--seed S] [--pause MICROSECONDS]
//
// Ends after so many seconds, 60 by default, or after so many kills. A kill is a process that SIGKILL, or a
// SIGTERM for which it had no handler, ended while it worked; others hear of SIGTERM and leave.
//
// Works in rounds of at most two seconds. In a round every process writes what it is about to do and what it
// did into memory that survives it; then the driver drains the queue and compares. Each round has one way of
// consuming: leases, leases with time limits and returns, or plain gets. Prints counts and the seed, and how
// long it took after a kill until another producer and another consumer had done something; any violation of
// the invariants I1 to I10 (docs/shm-queue.md) is a line, and exit code 1.
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipckit/queue.h"

#define SLOTS 16
#define RECORDS 300000
#define CAPACITY 64
#define CAPACITY_BYTES (64 * 1024)
#define LARGEST 6000
#define MILLISECOND 1000000LL
#define SECOND (1000 * MILLISECOND)
#define HARD_BOUND (2 * SECOND)
#define DRIVER SLOTS

enum type {
  PUT_INTENT,
  PUT_OK,
  GET_INTENT,
  GET_NOTHING,
  RECEIVED,
  ACK_INTENT,
  ACK_OK,
  NACK_INTENT,
  STALE,
  BAD
};
enum way { LEASES, TIMED_LEASES, GETS, WAYS };

typedef struct record {
  uint8_t type, way, redelivered, priority;
  uint32_t incarnation;
  uint64_t id;  // incarnation of the producer, then its count
  uint32_t delivery;
  uint32_t slot;
  uint64_t stamp;
  int64_t at;
} record;

typedef struct ledger {
  atomic_uint count;
  uint32_t slowest_us;
  uint32_t held;  // how often a stopped process stood in the way
  record records[RECORDS];
} ledger;

// Shared by all, written by its slot alone but for the stamp.
typedef struct shared {
  atomic_ullong stamp;
  atomic_int way;
  atomic_int over;
  ledger ledgers[SLOTS + 1];
} shared;

static shared* s;
static char name[64];
static uint64_t seed;
static unsigned long violations, rounds;
static unsigned long kills, terms, left, stops;  // by SIGKILL, by SIGTERM, in peace after SIGTERM, SIGSTOPs
static unsigned long long total_put, total_received, total_redelivered, total_lost_gets;
static uint32_t slowest_us, held;
#define TELL_EVERY 50000 /* kills; a run of a million shall not be silent for half an hour */
enum ending { RUNS_ON, KILLED, LEFT };
static uint8_t* ended;  // by incarnation
static uint32_t incarnations = 1;

static uint64_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * SECOND + t.tv_nsec;
}

// Messages.
static uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15ULL;
  return x ^ (x >> 29);
}
// Inline, in blocks, and large enough to be copied outside of the locks.
static size_t size_of(uint64_t id) {
  uint64_t h = mix(id);
  size_t sizes[] = {16 + h % 60, 100 + h % 900, h % 16 == 0 ? 4100 + h % 1800 : 40};
  return sizes[h >> 32 & 1 ? (h >> 33) % 3 : 0];
}
static uint32_t priority_of(uint64_t id) { return mix(id) >> 40 & 3 ? 0 : mix(id) >> 45 & 7; }

static size_t write_message(uint64_t id, uint8_t* bytes) {
  size_t size = size_of(id);
  uint64_t x = id;
  for (size_t i = 0; i < size; i += 8) {
    x = mix(x + i);
    memcpy(bytes + i, &x, size - i < 8 ? size - i : 8);
  }
  memcpy(bytes, &id, sizeof id);
  return size;
}

// The id, or 0 when a byte is wrong.
static uint64_t read_message(const uint8_t* bytes, size_t size) {
  static uint8_t expected[LARGEST + 8];
  uint64_t id = 0;
  if (size < sizeof id) return 0;
  memcpy(&id, bytes, sizeof id);
  if (size_of(id) != size) return 0;
  write_message(id, expected);
  return memcmp(expected, bytes, size) == 0 ? id : 0;
}

// Ledgers.
typedef struct writer {
  ledger* l;
  uint32_t slot, incarnation;
  uint64_t random;
} writer;

static volatile sig_atomic_t leaving;  // this process heard SIGTERM

// The round is over for everyone when one ledger is full: else the driver would kill those who do nothing.
static bool over(const writer* w) {
  if (w->l->count >= RECORDS - 64) s->over = 1;
  return s->over || leaving;
}

static void note(writer* w, enum type type, uint64_t id, const ipckit_message_t* m) {
  unsigned n = w->l->count;
  if (n >= RECORDS) _exit(4);
  w->l->records[n] = (record){(uint8_t)type,
                              (uint8_t)s->way,
                              m ? (uint8_t)m->redelivered : 0,
                              (uint8_t)priority_of(id),
                              w->incarnation,
                              id,
                              m ? m->delivery_count : 0,
                              w->slot,
                              s->stamp++,
                              now()};
  w->l->count = n + 1;
}

// Every call that does not wait must come back soon, whatever happens to others.
static int64_t timed(writer* w, int64_t started, int64_t result) {
  uint32_t us = (uint32_t)((now() - started) / 1000);
  if (us > w->l->slowest_us) w->l->slowest_us = us;
  if (result == IPCKIT_E_HELD) w->l->held++;
  return result;
}

static void must(const char* what, int64_t result) {
  if (result >= 0) return;
  char text[200];
  int n = snprintf(text, sizeof text, "VIOLATION %s: %s\n", what, ipckit_strerror((int)result));
  (void)!write(1, text, (size_t)n);
  _exit(5);
}

static ipckit_queue_t* attach(void) {
  ipckit_queue_t* q;
  int result;
  do result = ipckit_queue_open(name, NULL, NULL, &q);
  while (result == IPCKIT_E_HELD);
  must("attach", result);
  return q;
}

// What they do.
static void produce(writer* w) {
  ipckit_queue_t* q = attach();
  static uint8_t bytes[4][LARGEST + 8];
  for (uint32_t count = 1; !over(w);) {
    ipckit_slice_t slices[4];
    unsigned n = next_random(&w->random) % 4 == 0 ? 4 : 1;
    for (unsigned i = 0; i < n; i++) {
      uint64_t id = (uint64_t)w->incarnation << 32 | (count + i);
      slices[i] = (ipckit_slice_t){bytes[i], write_message(id, bytes[i]), priority_of(id)};
      note(w, PUT_INTENT, id, NULL);
    }
    for (unsigned done = 0; done < n && !over(w);) {
      int64_t started = now();
      int64_t put = timed(w, started, ipckit_queue_put_many(q, slices + done, n - done, 0));
      if (put == -EAGAIN) put = ipckit_queue_put_many(q, slices + done, n - done, 20 * MILLISECOND);
      if (put == IPCKIT_E_HELD || put == -ETIMEDOUT) continue;
      must("put", put);
      for (int64_t i = 0; i < put; i++)
        note(w, PUT_OK, (uint64_t)w->incarnation << 32 | (count + done++), NULL);
    }
    count += n;
  }
  ipckit_queue_close(q);
}

static uint64_t received(writer* w, const uint8_t* bytes, const ipckit_message_t* m) {
  uint64_t id = read_message(bytes + m->offset, m->length);
  note(w, id ? RECEIVED : BAD, id, m);
  return id;
}

static void settle(writer* w, ipckit_queue_t* q, uint64_t id, const ipckit_message_t* m, bool late) {
  bool back = s->way != GETS && next_random(&w->random) % 16 == 0;
  note(w, back ? NACK_INTENT : ACK_INTENT, id, m);
  int64_t result;
  do {
    int64_t started = now();
    result = timed(w, started,
                   back ? ipckit_queue_nack(q, &m->token, next_random(&w->random) % 2 * MILLISECOND)
                        : ipckit_queue_ack(q, &m->token));
  } while (result == IPCKIT_E_HELD);
  if (result == IPCKIT_E_STALE && late) return note(w, STALE, id, m);
  must("settle", result);
  if (!back) note(w, ACK_OK, id, m);
  // A second time is always too late.
  if (next_random(&w->random) % 8 == 0 && ipckit_queue_ack(q, &m->token) == 0) note(w, BAD, id, m);
}

static void consume(writer* w) {
  ipckit_queue_t* q = attach();
  static uint8_t slab[4 * (LARGEST + 8)];
  ipckit_message_t m[4];
  while (!over(w)) {
    unsigned most = next_random(&w->random) % 4 == 0 ? 4 : 1;
    const bool timed_lease = s->way == TIMED_LEASES && next_random(&w->random) % 4 == 0;
    int64_t lease_ns = timed_lease ? (int64_t)(next_random(&w->random) % 3 + 1) * MILLISECOND : 0;
    int64_t n = 0;
    if (s->way == GETS) note(w, GET_INTENT, most, NULL);
    for (int64_t wait = 0;;) {
      int64_t started = now();
      n = s->way == GETS ? ipckit_queue_get_many(q, slab, sizeof slab, m, most, wait)
                         : ipckit_queue_lease_many(q, slab, sizeof slab, m, most, lease_ns, wait);
      if (wait == 0) timed(w, started, n);
      if (n != -EAGAIN && n != IPCKIT_E_HELD) break;
      wait = 20 * MILLISECOND;
    }
    if (n == -ETIMEDOUT) {
      if (s->way == GETS) note(w, GET_NOTHING, 0, NULL);
      continue;
    }
    must("get", n);
    // Who leaves gives back what it has not looked at, when it closes.
    for (int64_t i = 0; i < n && (s->way == GETS || !leaving); i++) {
      uint64_t id = received(w, slab, &m[i]);
      if (s->way == GETS)
        note(w, ACK_OK, id, &m[i]);
      else if (timed_lease && next_random(&w->random) % 2)
        usleep(2000), settle(w, q, id, &m[i], true);
      else
        settle(w, q, id, &m[i], timed_lease);
    }
  }
  ipckit_queue_close(q);
}

// The driver.
static void complain(const char* what, unsigned long long a, unsigned long long b) {
  violations++;
  printf("VIOLATION round %lu: %s (%#llx, %llu)\n", rounds, what, a, b);
  fflush(stdout);
}

static pid_t pids[SLOTS];
static uint32_t lives[SLOTS];
static bool asked[SLOTS];  // to end, by SIGTERM

static void leave(int number) {
  (void)number;
  leaving = 1;
}

// Who kills, and who is killed and shall end, goes before those who work: a kill would wait for their time
// slices, and a million take an hour. Only with the rights for it; it changes nothing else.
static void hurry(pid_t pid, int nice) { (void)setpriority(PRIO_PROCESS, (id_t)pid, nice); }

static void spawn(unsigned slot, bool producer) {
  lives[slot] = incarnations++;
  asked[slot] = false;
  uint64_t random = mix(seed + lives[slot]) | 1;
  pids[slot] = fork();
  if (pids[slot] != 0) return;
  hurry(0, 0);
  // Without SA_RESTART, so that it interrupts every wait.
  if (random >> 32 & 1) sigaction(SIGTERM, &(struct sigaction){.sa_handler = leave}, NULL);
  writer w = {&s->ledgers[slot], slot, lives[slot], random};
  if (producer)
    produce(&w);
  else
    consume(&w);
  _exit(0);
}

// Waits for its end, or with WNOHANG only looks whether it has ended.
static bool reap(unsigned slot, int flags) {
  int status = 0;
  pid_t pid;
  while ((pid = waitpid(pids[slot], &status, flags)) < 0 && errno == EINTR) {
  }
  if (pid == 0) return false;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  ended[lives[slot]] = signal ? KILLED : LEFT;
  kills += signal == SIGKILL;
  terms += signal == SIGTERM;
  left += signal == 0 && asked[slot];
  if (signal != 0 && signal != SIGKILL && !(signal == SIGTERM && asked[slot]))
    complain("a process died of signal", (unsigned)signal, slot);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
    complain("a process failed", (unsigned)WEXITSTATUS(status), slot);
  return true;
}

// How long after each death of this round others went on; see measure_recoveries.
typedef struct death {
  int64_t at;
  uint32_t incarnation;
} death;
static death* deaths;
static size_t death_count, death_room;
static uint32_t* recoveries_us;
static size_t recovery_count, recovery_room;

static void* grown(void* array, size_t count, size_t* room, size_t size) {
  if (count < *room) return array;
  *room = *room * 2 + 1024;
  array = realloc(array, *room * size);
  if (!array) perror("storm"), exit(2);
  return array;
}

static void kill_and_reap(unsigned slot) {
  deaths = grown(deaths, death_count, &death_room, sizeof *deaths);
  deaths[death_count++] = (death){now(), lives[slot]};
  kill(pids[slot], SIGKILL);
  hurry(pids[slot], -20);
  reap(slot, 0);
}

static void storm(unsigned producers, unsigned consumers, int64_t end, unsigned long most, long pause_us) {
  const unsigned all = producers + consumers;
  int64_t resume[SLOTS] = {0};
  uint64_t last_stamp = 0;
  int64_t last_progress = now();
  death_count = 0;
  for (unsigned i = 0; i < all; i++) spawn(i, i < producers);
  while (now() < end && !s->over && kills + terms < most) {
    usleep((useconds_t)(next_random(&seed) % (uint64_t)(2 * pause_us + 1)));
    unsigned i = (unsigned)(next_random(&seed) % all);
    for (unsigned j = 0; j < all; j++) {
      if (resume[j] != 0 && resume[j] < now()) kill(pids[j], SIGCONT), resume[j] = 0;
      if (asked[j] && reap(j, WNOHANG)) spawn(j, j < producers), resume[j] = 0;
    }
    switch (next_random(&seed) % 16) {
      case 0:
        if (resume[i] != 0) break;
        kill(pids[i], SIGSTOP);
        resume[i] = now() + (int64_t)(next_random(&seed) % 30) * MILLISECOND;
        stops++;
        break;
      case 1:
        kill(pids[i], SIGTERM);
        asked[i] = true;
        break;
      default:
        kill_and_reap(i);
        resume[i] = 0;
        spawn(i, i < producers);
    }
    if (s->stamp != last_stamp) last_stamp = s->stamp, last_progress = now();
    if (now() - last_progress > HARD_BOUND) complain("I9: nobody gets on", 0, 0), last_progress = now();
  }
  s->over = 1;
  for (unsigned i = 0; i < all; i++) {
    kill(pids[i], SIGCONT);
    // Half of them end in peace.
    if (next_random(&seed) % 2)
      kill_and_reap(i);
    else
      reap(i, 0);
  }
}

// Takes everything that is left, as one more consumer.
static void drain(ipckit_queue_t* q) {
  static uint8_t bytes[LARGEST + 8];
  writer w = {&s->ledgers[DRIVER], DRIVER, 0, 1};
  if (ipckit_queue_sweep(q) < 0) complain("sweep", 0, 0);
  for (;;) {
    ipckit_message_t m;
    // Returned ones may be delayed, and leases of those who ended in peace are back already.
    int64_t n = ipckit_queue_lease(q, bytes, sizeof bytes, &m, 0, 50 * MILLISECOND);
    if (n == -ETIMEDOUT) return;
    if (n < 0) return complain(ipckit_strerror((int)n), 0, 0);
    m.offset = 0;
    uint64_t id = received(&w, bytes, &m);
    if (ipckit_queue_ack(q, &m.token) != 0) complain("I5: ack", id, 0);
    note(&w, ACK_OK, id, &m);
  }
}

static int by_id(const void* a, const void* b) {
  const record *x = a, *y = b;
  if (x->id != y->id) return x->id < y->id ? -1 : 1;
  // Who was stopped before it could write that it had received may do so when others are long past it.
  if (x->delivery != y->delivery) return x->delivery < y->delivery ? -1 : 1;
  return x->stamp < y->stamp ? -1 : x->stamp > y->stamp;
}

// One message: all records with its id, by delivery and then by their stamps.
static void judge(const record* r, size_t n, unsigned long long* missing) {
  bool intent = false, ok = false, got = false, acked = false, ack_pending = false;
  const record* last = NULL;
  for (size_t i = 0; i < n; i++) {
    switch (r[i].type) {
      case PUT_INTENT:
        intent = true;
        break;
      case PUT_OK:
        ok = true, total_put++;
        break;
      case BAD:
        complain("I2: torn, or acknowledged twice", r[i].id, r[i].delivery);
        break;
      case ACK_INTENT:
        ack_pending |= ended[r[i].incarnation] == KILLED;
        break;
      case RECEIVED: {
        total_received++;
        if (!intent) complain("I2: nobody put it", r[i].id, 0);
        if (acked) complain("I5: delivered after its acknowledgement", r[i].id, r[i].delivery);
        if (r[i].redelivered != (r[i].delivery > 1)) complain("I4: redelivered", r[i].id, r[i].delivery);
        if (last && r[i].delivery == last->delivery)
          complain("I6: two holders of one delivery", r[i].id, r[i].delivery);
        if (last) {
          total_redelivered++;
          // The dead lose what they hold, and who closes gives it back; both only once they have ended.
          bool returned = ended[last->incarnation] != RUNS_ON || last->way == TIMED_LEASES;
          for (size_t j = 0; j < i; j++)
            returned |= r[j].type == NACK_INTENT && r[j].delivery == last->delivery;
          if (!returned) complain("I4: delivered again without a reason", r[i].id, r[i].delivery);
        }
        got = true;
        last = &r[i];
        break;
      }
      case ACK_OK:
        if (last && r[i].delivery != last->delivery)
          complain("I5: acknowledged unseen", r[i].id, r[i].delivery);
        acked = true;
        break;
      default:
        break;
    }
  }
  // An ack that was cut short may have been the end of it.
  if (ok && !acked && !ack_pending) {
    if (got && last->way == GETS) return;
    (*missing)++;
  }
}

// Each consumer sees the first deliveries of one producer in order, within a priority.
static void judge_order(const ledger* l) {
  static uint64_t last[8][1 << 12];
  static uint32_t whose[8][1 << 12];
  memset(last, 0, sizeof last);
  for (unsigned i = 0; i < l->count; i++) {
    const record* r = &l->records[i];
    if (r->type != RECEIVED || r->delivery != 1) continue;
    uint32_t bucket = (uint32_t)(r->id >> 32) & 0xfff;
    uint32_t consumer = r->incarnation;
    uint64_t* seen = &last[r->priority][bucket];
    if (whose[r->priority][bucket] != consumer || *seen >> 32 != r->id >> 32) *seen = 0;
    if (r->id <= *seen) complain("I7: order", r->id, *seen);
    *seen = r->id;
    whose[r->priority][bucket] = consumer;
  }
}

static bool completes(const record* r, bool putting) {
  return putting ? r->type == PUT_OK : r->type == RECEIVED || r->type == ACK_OK;
}

// From each kill until somebody else had put something, and somebody else had received or acknowledged
// something, whichever came last: whatever the dead one held by then was no hindrance any more.
static void measure_recoveries(void) {
  unsigned next[2][SLOTS] = {{0}};
  for (size_t d = 0; d < death_count; d++) {
    int64_t until = 0;
    for (int putting = 0; putting < 2 && until < INT64_MAX; putting++) {
      int64_t first = INT64_MAX;
      for (int slot = 0; slot < SLOTS; slot++) {
        const ledger* l = &s->ledgers[slot];
        unsigned* i = &next[putting][slot];
        while (*i < l->count && (l->records[*i].at <= deaths[d].at || !completes(&l->records[*i], putting) ||
                                 l->records[*i].incarnation == deaths[d].incarnation)) {
          ++*i;
        }
        if (*i < l->count && l->records[*i].at < first) first = l->records[*i].at;
      }
      if (first > until) until = first;
    }
    if (until == INT64_MAX) continue;  // the round was over
    recoveries_us = grown(recoveries_us, recovery_count, &recovery_room, sizeof *recoveries_us);
    recoveries_us[recovery_count++] = (uint32_t)((until - deaths[d].at) / 1000);
  }
}

static int by_size(const void* a, const void* b) {
  const uint32_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

static double recovery_ms(double part) {
  if (recovery_count == 0) return 0;
  return recoveries_us[(size_t)(part * (double)(recovery_count - 1))] / 1000.0;
}

static void audit(ipckit_queue_t* q) {
  size_t n = 0;
  unsigned long long open_gets = 0, missing = 0;
  for (int slot = 0; slot <= SLOTS; slot++) n += s->ledgers[slot].count;
  record* all = malloc((n + 1) * sizeof *all);
  if (!all) exit(2);
  n = 0;
  for (int slot = 0; slot <= SLOTS; slot++) {
    ledger* l = &s->ledgers[slot];
    judge_order(l);
    for (unsigned i = 0; i < l->count; i++) {
      const record* r = &l->records[i];
      // A plain get that was cut short took what it took.
      if (r->type == GET_INTENT) {
        bool last = i + 1 == l->count || l->records[i + 1].incarnation != r->incarnation;
        unsigned got = 0;
        for (unsigned j = i + 1; j < l->count && l->records[j].incarnation == r->incarnation &&
                                 l->records[j].type != GET_INTENT && l->records[j].type != GET_NOTHING;
             j++) {
          got += l->records[j].type == RECEIVED;
          last |= j + 1 == l->count || l->records[j + 1].incarnation != r->incarnation;
        }
        if (last && ended[r->incarnation] == KILLED) open_gets += r->id - got;
      } else if (r->type != GET_NOTHING) {
        all[n++] = *r;
      }
    }
    if (l->slowest_us > slowest_us) slowest_us = l->slowest_us;
    held += l->held;
  }
  qsort(all, n, sizeof *all, by_id);
  for (size_t i = 0, j; i < n; i = j) {
    for (j = i; j < n && all[j].id == all[i].id; j++) {
    }
    judge(all + i, j - i, &missing);
  }
  free(all);
  total_lost_gets += missing;
  if (missing > open_gets) complain("I1: messages lost, gets cut short", missing, open_gets);
  ipckit_queue_stat_t stat;
  if (ipckit_queue_stat(q, &stat) != 0) return complain("stat", 0, 0);
  if (stat.depth + stat.in_flight != 0) complain("I8: not empty", stat.depth, stat.in_flight);
  if (stat.participants != 1) complain("I8: participants", stat.participants, 0);
  if (stat.free_bytes != CAPACITY_BYTES) complain("I8: bytes", stat.free_bytes, 0);
  int sound = ipckit_queue_verify(q);
  if (sound != 0) complain("I8: the indices disagree with the truth", (unsigned)-sound, 0);
}

static int descriptors(void) {
  int count = 0;
  DIR* directory = opendir("/proc/self/fd");
  while (directory && readdir(directory)) count++;
  if (directory) closedir(directory);
  return count;
}

int main(int argc, char** argv) {
  long seconds = 0, most = 0, producers = 4, consumers = 4, pause_us = 500;
  seed = (uint64_t)now() * 2654435761U;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--seconds") == 0)
      seconds = atol(argv[i + 1]);
    else if (strcmp(argv[i], "--kills") == 0)
      most = atol(argv[i + 1]);
    else if (strcmp(argv[i], "--producers") == 0)
      producers = atol(argv[i + 1]);
    else if (strcmp(argv[i], "--consumers") == 0)
      consumers = atol(argv[i + 1]);
    else if (strcmp(argv[i], "--pause") == 0)
      pause_us = atol(argv[i + 1]);
    else if (strcmp(argv[i], "--seed") == 0)
      seed = strtoull(argv[i + 1], NULL, 0);
    else
      return fprintf(stderr, "storm: unknown option %s\n", argv[i]), 2;
  }
  if (producers < 1 || consumers < 1 || producers + consumers > SLOTS)
    return fprintf(stderr, "storm: 2 to 16\n"), 2;
  if (seconds <= 0 && most <= 0) seconds = 60;
  if (seed == 0) seed = 1;
  printf("seed %llu\n", (unsigned long long)seed);
  fflush(stdout);
  snprintf(name, sizeof name, "/ipckit-storm-%d", (int)getpid());
  s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ended = mmap(NULL, 1 << 28, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (s == MAP_FAILED || ended == MAP_FAILED) return perror("storm: mmap"), 2;
  hurry(0, -20);
  const int before = descriptors();
  ipckit_queue_options_t options = {.capacity = CAPACITY,
                                    .capacity_bytes = CAPACITY_BYTES,
                                    .max_message_bytes = LARGEST,
                                    .participants = 32};
  ipckit_queue_t* q;
  must("create", ipckit_queue_create(name, &options, NULL, &q));
  const int64_t start = now(), end = seconds > 0 ? start + seconds * SECOND : INT64_MAX;
  unsigned long told = 0;
  const unsigned long enough = most > 0 ? (unsigned long)most : ULONG_MAX;
  for (; now() < end && kills + terms < enough && violations < 20; rounds++) {
    s->way = (int)(rounds % WAYS);
    s->over = 0;
    for (int slot = 0; slot <= SLOTS; slot++) s->ledgers[slot].count = 0;
    int64_t until = now() + 2 * SECOND;
    storm((unsigned)producers, (unsigned)consumers, until < end ? until : end, enough, pause_us);
    drain(q);
    audit(q);
    measure_recoveries();
    if (kills + terms >= told + TELL_EVERY) {
      told = kills + terms;
      fprintf(stderr, "%lu kills after %.0f s, %lu violations\n", told, (double)(now() - start) / SECOND,
              violations);
    }
  }
  ipckit_queue_stat_t stat;
  ipckit_queue_stat(q, &stat);
  ipckit_queue_close(q);
  ipckit_queue_unlink(name, NULL);
  if (descriptors() != before) complain("I10: descriptors", (unsigned)descriptors(), (unsigned)before);
  if (slowest_us > HARD_BOUND / 1000) complain("I9: slowest call, us", slowest_us, 0);
  if (recovery_count > 0) qsort(recoveries_us, recovery_count, sizeof *recoveries_us, by_size);
  if (recovery_ms(1) > HARD_BOUND / (double)MILLISECOND)
    complain("I9: slowest recovery, ms", (unsigned long long)recovery_ms(1), 0);
  printf(
      "%lu kills (%lu by SIGKILL, %lu by SIGTERM), %lu left after SIGTERM, %lu stopped, in %.0f s and %lu "
      "rounds\n%llu put, %llu received, %llu redelivered, %llu of gets cut short, %llu recoveries, %u times "
      "held\nothers went on after p50 %.2f, p99 %.1f, max %.1f ms; slowest call %.1f ms; %lu violations\n",
      kills + terms, kills, terms, left, stops, (double)(now() - start) / SECOND, rounds, total_put,
      total_received, total_redelivered, total_lost_gets, (unsigned long long)stat.recoveries, held,
      recovery_ms(0.5), recovery_ms(0.99), recovery_ms(1), slowest_us / 1000.0, violations);
  return violations != 0;
}
