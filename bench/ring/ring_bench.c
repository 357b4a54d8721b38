// How fast the queue in shared memory is from C, one producer and one consumer in two processes, 64-byte
// messages.
//
//   ring_bench [--seconds N] [--same-cpu]
//
// One line a case: the median of three runs, with the least and the most. Every message is checked for its
// order.
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ipckit/queue.h"

#define RUNS 3
#define BATCH_MOST 256
#define LARGE (1 << 20)

typedef struct bench {
  const char* title;
  size_t size;
  size_t batch;  // 1: a call for each message
  bool lease;
  bool large;
} bench;

static const bench benches[] = {
    {"put, get", 64, 1, false, false},
    {"put, lease + ack", 64, 1, true, false},
    {"put_many, get_many of 64", 64, 64, false, false},
    {"put_many, get_many of 256", 64, 256, false, false},
    {"put_many, lease_many + ack_many of 64", 64, 64, true, false},
    {"put, get of 1 KiB", 1024, 1, false, false},
    {"put, get of 1 MiB", LARGE, 1, false, true},
};

static double seconds = 0.5;
static int consumer_cpu = 1;
static char name[64], answers[64];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

static void must(int64_t result, const char* what) {
  if (result >= 0) return;
  fprintf(stderr, "ring_bench: %s: %s\n", what, ipckit_strerror((int)result));
  _exit(1);
}

static ipckit_queue_t* open_it(const char* which) {
  ipckit_queue_t* q;
  must(ipckit_queue_open(which, NULL, NULL, &q), "open");
  return q;
}

// Puts numbered messages until the time is over, then one of number -1.
static void produce(const bench* b) {
  pin(0);
  ipckit_queue_t* q = open_it(name);
  uint8_t* bytes = calloc(b->batch, b->size);
  ipckit_slice_t* slices = calloc(b->batch, sizeof *slices);
  for (size_t i = 0; i < b->batch; i++) slices[i] = (ipckit_slice_t){bytes + i * b->size, b->size, 0};
  const double end = now() + seconds;
  int64_t number = 0;
  for (bool more = true; more;) {
    if ((b->large || (number & 1023) < (int64_t)b->batch) && now() >= end) more = false;
    for (size_t i = 0; i < b->batch; i++) {
      int64_t n = more ? number + (int64_t)i : -1;
      memcpy(bytes + i * b->size, &n, sizeof n);
    }
    for (size_t at = 0; at < b->batch;) {
      int64_t put = b->batch == 1 ? ipckit_queue_put(q, bytes, b->size, 0, IPCKIT_FOREVER)
                                  : ipckit_queue_put_many(q, slices + at, b->batch - at, IPCKIT_FOREVER);
      must(put, "put");
      at += b->batch == 1 ? 1 : (size_t)put;
    }
    number += (int64_t)b->batch;
  }
  ipckit_queue_close(q);
}

static double consume(const bench* b) {
  pin(consumer_cpu);
  ipckit_queue_t* q = open_it(name);
  size_t room = b->size * b->batch;
  uint8_t* slab = malloc(room);
  ipckit_message_t messages[BATCH_MOST];
  ipckit_token_t tokens[BATCH_MOST];
  int64_t number = 0, first;
  double started = 0;
  for (;;) {
    int64_t n = 1;
    if (b->batch > 1) {
      n = b->lease ? ipckit_queue_lease_many(q, slab, room, messages, b->batch, 0, IPCKIT_FOREVER)
                   : ipckit_queue_get_many(q, slab, room, messages, b->batch, IPCKIT_FOREVER);
      must(n, "get_many");
    } else {
      must(b->lease ? ipckit_queue_lease(q, slab, room, messages, 0, IPCKIT_FOREVER)
                    : ipckit_queue_get(q, slab, room, NULL, IPCKIT_FOREVER),
           "get");
      messages[0].offset = 0;
    }
    if (started == 0) started = now();
    if (b->lease && n == 1) must(ipckit_queue_ack(q, &messages[0].token), "ack");
    if (b->lease && n > 1) {
      for (int64_t i = 0; i < n; i++) tokens[i] = messages[i].token;
      must(ipckit_queue_ack_many(q, tokens, (size_t)n), "ack_many");
    }
    for (int64_t i = 0; i < n; i++) {
      memcpy(&first, slab + messages[i].offset, sizeof first);
      if (first < 0) goto over;
      if (first != number) must(-EBADMSG, "order");
      number++;
    }
  }
over:;
  double rate = (double)number / (now() - started);
  ipckit_queue_close(q);
  free(slab);
  return rate;
}

static void make(const char* which, size_t size) {
  ipckit_queue_options_t options = {.capacity = size > 4096 ? 8 : 1024, .max_message_bytes = size};
  options.capacity_bytes = size > 64 ? options.capacity * ((size + 4095) / 4096 * 4096) : 0;
  ipckit_queue_t* q;
  ipckit_queue_unlink(which, NULL);
  must(ipckit_queue_create(which, &options, NULL, &q), "create");
  ipckit_queue_close(q);
}

static int ascending(const void* a, const void* b) {
  double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static void throughput(const bench* b) {
  double rates[RUNS];
  for (int run = 0; run < RUNS; run++) {
    make(name, b->size);
    fflush(stdout);
    pid_t producer = fork();
    if (producer == 0) {
      produce(b);
      _exit(0);
    }
    rates[run] = consume(b);
    waitpid(producer, NULL, 0);
    ipckit_queue_unlink(name, NULL);
  }
  qsort(rates, RUNS, sizeof *rates, ascending);
  printf("%-40s %8.3f M/s [%.3f to %.3f]", b->title, rates[1] / 1e6, rates[0] / 1e6, rates[2] / 1e6);
  if (b->large) printf("  %.1f GB/s", rates[1] * (double)b->size / 1e9);
  printf("\n");
}

static void round_trip(void) {
  make(name, 64);
  make(answers, 64);
  fflush(stdout);
  pid_t peer = fork();
  uint8_t bytes[64] = {0};
  if (peer == 0) {
    pin(0);
    ipckit_queue_t *in = open_it(name), *out = open_it(answers);
    for (;;) {
      must(ipckit_queue_get(in, bytes, sizeof bytes, NULL, IPCKIT_FOREVER), "get");
      must(ipckit_queue_put(out, bytes, sizeof bytes, 0, IPCKIT_FOREVER), "put");
      if (bytes[0]) _exit(0);
    }
  }
  pin(consumer_cpu);
  ipckit_queue_t *out = open_it(name), *in = open_it(answers);
  enum { TRIPS = 200000 };
  static double times[TRIPS];
  int trips = 0;
  for (const double end = now() + seconds; trips < TRIPS && now() < end; trips++) {
    double start = now();
    must(ipckit_queue_put(out, bytes, sizeof bytes, 0, IPCKIT_FOREVER), "put");
    must(ipckit_queue_get(in, bytes, sizeof bytes, NULL, IPCKIT_FOREVER), "get");
    times[trips] = now() - start;
  }
  bytes[0] = 1;
  must(ipckit_queue_put(out, bytes, sizeof bytes, 0, IPCKIT_FOREVER), "put");
  waitpid(peer, NULL, 0);
  qsort(times, (size_t)trips, sizeof *times, ascending);
  printf("%-40s %8.2f us p50, %.2f us p99 (the clock's 0.03 among them)\n", "round trip",
         times[trips / 2] * 1e6, times[trips * 99 / 100] * 1e6);
  ipckit_queue_unlink(name, NULL);
  ipckit_queue_unlink(answers, NULL);
}

// What one process pays when nobody else is there.
static void alone(void) {
  make(name, 64);
  ipckit_queue_t* q = open_it(name);
  uint8_t bytes[64] = {0};
  enum { TURNS = 2000000 };
  double start = now();
  for (int i = 0; i < TURNS; i++) {
    must(ipckit_queue_put(q, bytes, sizeof bytes, 0, 0), "put");
    must(ipckit_queue_get(q, bytes, sizeof bytes, NULL, 0), "get");
  }
  printf("%-40s %8.1f ns\n", "put and get by one process", (now() - start) / TURNS * 1e9);
  static uint8_t many[64 * BATCH_MOST];
  ipckit_slice_t slices[BATCH_MOST];
  ipckit_message_t messages[BATCH_MOST];
  for (int i = 0; i < 64; i++) slices[i] = (ipckit_slice_t){many + 64 * i, 64, 0};
  start = now();
  for (int i = 0; i < TURNS / 64; i++) {
    must(ipckit_queue_put_many(q, slices, 64, 0), "put_many");
    must(ipckit_queue_get_many(q, many, sizeof many, messages, 64, 0), "get_many");
  }
  printf("%-40s %8.1f ns\n", "the same by 64", (now() - start) / TURNS * 1e9);
  ipckit_queue_close(q);
  ipckit_queue_unlink(name, NULL);
}

// Many at once, unpinned: what the consumers get together.
static void crowd(int each) {
  make(name, 64);
  int64_t* counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fflush(stdout);
  const double end = now() + seconds;
  for (int i = 0; i < 2 * each; i++) {
    if (fork() != 0) continue;
    ipckit_queue_t* q = open_it(name);
    uint8_t bytes[64] = {0};
    while (i < each && now() < end) {
      for (int n = 0; n < 64; n++) must(ipckit_queue_put(q, bytes, sizeof bytes, 0, IPCKIT_FOREVER), "put");
    }
    while (i >= each && ipckit_queue_get(q, bytes, sizeof bytes, NULL, IPCKIT_FOREVER) >= 0)
      counts[i - each]++;
    _exit(0);
  }
  // Producers end by the clock; whoever waits is told when they have.
  ipckit_queue_t* q = open_it(name);
  for (int left = each; left > 0; left--) wait(NULL);
  int64_t all = 0;
  for (int i = 0; i < each; i++) all += counts[i];
  const double took = now() - end + seconds;
  ipckit_queue_shutdown(q, 0);
  while (wait(NULL) > 0) {
  }
  printf("%2d producers and %2d consumers              %8.3f M/s\n", each, each, (double)all / took / 1e6);
  ipckit_queue_close(q);
  ipckit_queue_unlink(name, NULL);
  munmap(counts, 4096);
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--same-cpu") == 0)
      consumer_cpu = 0;
    else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
      seconds = atof(argv[++i]);
    else
      return fprintf(stderr, "usage: ring_bench [--seconds N] [--same-cpu]\n"), 2;
  }
  snprintf(name, sizeof name, "/ipckit-bench-%d", (int)getpid());
  snprintf(answers, sizeof answers, "/ipckit-bench-%d-back", (int)getpid());
  alone();
  for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) throughput(&benches[i]);
  round_trip();
  // Not pinned, so that they may share two processors or use sixteen.
  cpu_set_t every;
  memset(&every, 0xff, sizeof every);
  sched_setaffinity(0, sizeof every, &every);
  for (int each = 1; each <= 16; each *= 4) crowd(each);
  return 0;
}
