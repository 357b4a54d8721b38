// The other side of a shared memory, in C: writes every field of struct ipckit_shared, prints them, or
// counts.
//
//   shm-peer create|write|read|unlink MEMORY [SEED]
//   shm-peer atomic|plain MEMORY COUNT
//
// MEMORY is a name of POSIX shared memory, /name, or the key of a System V segment, 0x1234. `write` fills in
// values that follow from SEED; `read` prints what is there as one line of JSON, 64-bit numbers as text;
// `atomic` counts hits and total up COUNT times, `plain` counts lossy. Exit code 1 and a sentence on stderr
// when something fails.
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "block.h"

static void fail(const char* call) {
  perror(call);
  exit(1);
}

/// Maps the memory; flags are O_CREAT | O_EXCL or 0.
static struct ipckit_shared* open_memory(const char* name, int flags) {
  if (name[0] != '/') {
    const int ours = flags == 0 ? 0 : IPC_CREAT | IPC_EXCL;
    const int id = shmget((key_t)strtoul(name, NULL, 0), sizeof(struct ipckit_shared), ours | 0600);
    if (id < 0) fail("shmget");
    void* const segment = shmat(id, NULL, 0);
    if (segment == (void*)-1) fail("shmat");
    return segment;
  }
  const int file = shm_open(name, O_RDWR | flags, 0600);
  if (file < 0) fail("shm_open");
  if (flags != 0) {
    const int error = posix_fallocate(file, 0, sizeof(struct ipckit_shared));
    errno = error;
    if (error != 0) fail("posix_fallocate");
  }
  void* const memory = mmap(NULL, sizeof(struct ipckit_shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) fail("mmap");
  close(file);
  return memory;
}

static void unlink_memory(const char* name) {
  if (name[0] == '/') {
    if (shm_unlink(name) != 0) fail("shm_unlink");
    return;
  }
  const int id = shmget((key_t)strtoul(name, NULL, 0), 0, 0);
  if (id < 0 || shmctl(id, IPC_RMID, NULL) != 0) fail("shmctl");
}

static void write_block(struct ipckit_shared* memory, int seed) {
  struct ipckit_block* block = &memory->block;
  block->a = (int8_t) - (seed % 100);
  block->b = (uint8_t)(seed % 256);
  block->c = (int16_t)-seed;
  block->d = (uint16_t)(65535 - seed);
  block->e = -1000 * seed;
  block->f = 4000000000U + (uint32_t)seed;
  block->g = INT64_MIN + seed;
  block->h = UINT64_MAX - (uint64_t)seed;
  block->i = (float)seed / 4;
  block->j = seed / 8.0 + 0.1;
  block->k = seed % 2 == 1;
  memset(block->l, 0, sizeof block->l);
  memcpy(block->l, seed % 2 == 1 ? "äöü" : "seven77", seed % 2 == 1 ? 6 : 7);
  block->m[0] = (uint8_t)(seed % 256);
  block->m[1] = 0;
  block->m[2] = 255;
  for (int at = 0; at < 3; at++) block->n[at] = (float)(seed * at) / 2;
  block->o = (struct ipckit_point){(float)seed, -seed / 2.0};
  for (int at = 0; at < 2; at++) block->p[at] = (struct ipckit_point){(float)at, seed + at / 4.0};
  for (int at = 0; at < 4; at++) block->q[at / 2][at % 2] = seed - at;
  memory->packet.kind = 7;
  memory->packet.length = htobe32((uint32_t)seed);
  memory->packet.stamp = htobe64(UINT64_C(0x0102030405060700) + (uint64_t)seed);
}

static void read_block(struct ipckit_shared* memory) {
  struct ipckit_block* b = &memory->block;
  printf("{\"a\":%d,\"b\":%d,\"c\":%d,\"d\":%d,\"e\":%" PRId32 ",\"f\":%" PRIu32 ",", b->a, b->b, b->c, b->d,
         b->e, b->f);
  printf("\"g\":\"%" PRId64 "\",\"h\":\"%" PRIu64 "\",\"i\":%.9g,\"j\":%.17g,\"k\":%s,", b->g, b->h,
         (double)b->i, b->j, b->k ? "true" : "false");
  printf("\"l\":\"%.*s\",\"m\":[%d,%d,%d],", (int)strnlen(b->l, sizeof b->l), b->l, b->m[0], b->m[1],
         b->m[2]);
  printf("\"n\":[%.9g,%.9g,%.9g],", (double)b->n[0], (double)b->n[1], (double)b->n[2]);
  printf("\"o\":{\"x\":%.9g,\"y\":%.17g},", (double)b->o.x, b->o.y);
  printf("\"p\":[{\"x\":%.9g,\"y\":%.17g},{\"x\":%.9g,\"y\":%.17g}],", (double)b->p[0].x, b->p[0].y,
         (double)b->p[1].x, b->p[1].y);
  printf("\"q\":[[%d,%d],[%d,%d]],", b->q[0][0], b->q[0][1], b->q[1][0], b->q[1][1]);
  printf("\"hits\":%" PRIu32 ",\"total\":\"%" PRIu64 "\",\"lossy\":%" PRIu32 ",", b->hits, b->total,
         b->lossy);
  printf("\"packet\":{\"kind\":%d,\"length\":%" PRIu32 ",\"stamp\":\"%" PRIu64 "\"}}\n", memory->packet.kind,
         be32toh(memory->packet.length), be64toh(memory->packet.stamp));
}

/// Says that it is ready, and begins when it is told, so that all who count do it at the same time.
static void await_start(void) {
  printf("ready\n");
  fflush(stdout);
  (void)getchar();
}

static void count_atomic(struct ipckit_shared* memory, long count) {
  await_start();
  for (long turn = 0; turn < count; turn++) {
    atomic_fetch_add(&memory->block.hits, 1);
    atomic_fetch_add(&memory->block.total, 1);
  }
}

static void count_plain(struct ipckit_shared* memory, long count) {
  await_start();
  // volatile, or the compiler adds once.
  volatile uint32_t* lossy = &memory->block.lossy;
  for (long turn = 0; turn < count; turn++) *lossy = *lossy + 1;
}

int main(int count, char** arguments) {
  if (count < 3 || count > 4) return fprintf(stderr, "usage: shm-peer MODE MEMORY [NUMBER]\n"), 2;
  const char* mode = arguments[1];
  const char* name = arguments[2];
  const long number = count == 4 ? strtol(arguments[3], NULL, 10) : 0;
  if (strcmp(mode, "unlink") == 0) return unlink_memory(name), 0;
  struct ipckit_shared* memory = open_memory(name, strcmp(mode, "create") == 0 ? O_CREAT | O_EXCL : 0);
  if (strcmp(mode, "create") == 0) return 0;
  if (strcmp(mode, "write") == 0) return write_block(memory, (int)number), 0;
  if (strcmp(mode, "read") == 0) return read_block(memory), 0;
  if (strcmp(mode, "atomic") == 0) return count_atomic(memory, number), 0;
  if (strcmp(mode, "plain") == 0) return count_plain(memory, number), 0;
  return fprintf(stderr, "shm-peer: no mode %s\n", mode), 2;
}
