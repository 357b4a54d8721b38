// Opening an arbitrary file: raw bytes, or a queue whose identity, length and words were changed, with the
// checksum made right again so that what it guards is reached. Who opens it calls a few things and closes it.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// Larger files take time and teach nothing.
#define MOST_BYTES (8U << 20)

static uint8_t* sound;
static size_t sound_bytes;

static void prepare(void) {
  char name[64];
  fuzz_name(name);
  ipckit_queue_t* q = fuzz_queue(name);
  sound_bytes = q->map.bytes;
  sound = malloc(sound_bytes);
  FUZZ_CHECK(sound != NULL);
  memcpy(sound, q->h, sound_bytes);
  FUZZ_CHECK(ipckit_queue_close(q) == 0);
  FUZZ_CHECK(ipckit_queue_unlink(name, FUZZ_DIRECTORY) == 0);
}

// As open.c computes it.
static uint64_t checksum_of(ipckit_layout_identity_t identity) {
  identity.start.version = 0;
  identity.checksum = 0;
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (size_t i = 0; i < sizeof identity; i++) hash = (hash ^ ((uint8_t*)&identity)[i]) * 0x100000001b3ULL;
  return hash;
}

static void change_identity(ipckit_layout_identity_t* id, fuzz_input* in, bool fitting) {
  const uint64_t count = fuzz_number(in, 1) % 8;
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t at = fuzz_number(in, 1) % 62 * 4, kind = fuzz_number(in, 1);
    uint32_t word;
    memcpy(&word, (uint8_t*)id + at, 4);
    word = kind % 3 == 0   ? (uint32_t)fuzz_number(in, 4)
           : kind % 3 == 1 ? word + (uint32_t)(kind >> 2) - 32
                           : 1U << (kind >> 2) % 32;
    memcpy((uint8_t*)id + at, &word, 4);
  }
  if (!fitting) return;
  ring_geometry g = {.capacity = id->capacity,
                     .dead_capacity = id->dead_capacity,
                     .cells = id->capacity + id->dead_capacity,
                     .priorities = id->priorities,
                     .participants = id->participants,
                     .blocks = id->blocks,
                     .block_bytes = id->block_bytes,
                     .max_message_bytes = id->max_message_bytes,
                     .capacity_bytes = id->capacity_bytes};
  if (ring_geometry_derive(&g)) {
    id->cells = g.cells;
    id->start.total_bytes = g.total_bytes;
  }
  id->checksum = checksum_of(*id);
}

static void plant(const char* path, fuzz_input* in) {
  const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  FUZZ_CHECK(fd >= 0);
  const uint64_t how = fuzz_number(in, 1);
  if (how % 8 == 0) {
    FUZZ_CHECK(pwrite(fd, in->at, in->left, 0) == (ssize_t)in->left);
    if (how & 8) FUZZ_CHECK(ftruncate(fd, (off_t)sound_bytes) == 0);
  } else {
    ipckit_layout_identity_t id;
    memcpy(&id, sound, sizeof id);
    change_identity(&id, in, how % 8 > 2);
    FUZZ_CHECK(pwrite(fd, sound, sound_bytes, 0) == (ssize_t)sound_bytes);
    FUZZ_CHECK(pwrite(fd, &id, sizeof id, 0) == sizeof id);
    for (uint64_t words = fuzz_number(in, 1) % 8; words > 0; words--) {
      const uint64_t at = 512 + fuzz_number(in, 2) % (sound_bytes - 520), word = fuzz_number(in, 4);
      FUZZ_CHECK(pwrite(fd, &word, 4, (off_t)(at & ~3ULL)) == 4);
    }
    uint64_t length = id.start.total_bytes <= MOST_BYTES ? id.start.total_bytes : sound_bytes;
    if (how & 16) length = length / 4096 * (how >> 5) + fuzz_number(in, 2);
    FUZZ_CHECK(ftruncate(fd, (off_t)(length < MOST_BYTES ? length : MOST_BYTES)) == 0);
  }
  close(fd);
}

static bool refusal(int result) {
  switch (result) {
    case -EBADF:
    case IPCKIT_E_CORRUPT:
    case IPCKIT_E_VERSION:
    case IPCKIT_E_BYTE_ORDER:
    case IPCKIT_E_NOT_A_QUEUE:
    case IPCKIT_E_KIND:
    case IPCKIT_E_SIZE:
    case IPCKIT_E_HELD:
    case IPCKIT_E_PARTICIPANTS:
      return true;
    default:
      return false;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (sound == NULL) prepare();
  char name[64], path[128];
  fuzz_name(name);
  snprintf(path, sizeof path, FUZZ_DIRECTORY "/ipckit.%s", name);
  fuzz_input in = {data, size};
  plant(path, &in);
  ipckit_queue_t* q = NULL;
  const int64_t started = ring_now();
  const int result = ipckit_queue_open(name, NULL, NULL, &q);
  FUZZ_CHECK(ring_now() - started < 8 * RING_SECOND);
  FUZZ_CHECK(result == 0 || refusal(result));
  FUZZ_CHECK((result == 0) == (q != NULL));
  if (q != NULL) {
    // The buffers are for messages of the usual size.
    if (q->g.max_message_bytes <= FUZZ_LARGEST) fuzz_calls(q, &in, 4);
    FUZZ_CHECK(ipckit_queue_close(q) == 0);
  }
  FUZZ_CHECK(unlink(path) == 0);
  return 0;
}

void fuzz_seeds(void) {
  prepare();
  fuzz_seed(0, "", 0);
  fuzz_seed(1, "\0", 1);
  uint8_t input[600] = {8};
  memcpy(input + 1, sound, 512);
  fuzz_seed(2, input, 513);
  // Each word of the identity, one more or less than it is, or a power of two, with and without the rest made
  // fitting.
  int number = 3;
  for (uint8_t word = 0; word < 62; word++) {
    for (uint8_t how = 1; how < 4; how += 2) {
      memcpy(input, (uint8_t[]){how, 1, word, (uint8_t)(word % 2 ? 125 : 10), 0, 2, 3, 0, 15}, 9);
      fuzz_seed(number++, input, 9);
    }
  }
}
