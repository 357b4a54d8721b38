// See fuzz.h.
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define GUARD (1U << 20)

int LLVMFuzzerInitialize(int* argc, char*** argv);

_Noreturn void fuzz_fail(const char* what, const char* file, int line) {
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  abort();
}

// The core maps its files here, by the linker's --wrap: nobody may touch what lies before and after.
void* __real_mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void* at, size_t size);
void* __wrap_mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void* at, size_t size);

void* __wrap_mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
  if (at != NULL || !(flags & MAP_SHARED)) return __real_mmap(at, size, protection, flags, fd, offset);
  uint8_t* whole =
      __real_mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (whole == MAP_FAILED) return MAP_FAILED;
  void* mapped = __real_mmap(whole + GUARD, size, protection, flags | MAP_FIXED, fd, offset);
  if (mapped == MAP_FAILED) __real_munmap(whole, size + 2 * GUARD);
  return mapped;
}

int __wrap_munmap(void* at, size_t size) { return __real_munmap((uint8_t*)at - GUARD, size + 2 * GUARD); }

uint64_t fuzz_number(fuzz_input* in, size_t bytes) {
  uint64_t number = 0;
  for (size_t i = 0; i < bytes && in->left > 0; i++, in->left--) number |= (uint64_t)*in->at++ << 8 * i;
  return number;
}

void fuzz_name(char name[64]) { snprintf(name, 64, "ipckit-fuzz-%d", (int)getpid()); }

ipckit_queue_t* fuzz_queue(const char* name) {
  ipckit_queue_options_t o = {.capacity = 8,
                              .dead_capacity = 3,
                              .max_message_bytes = FUZZ_LARGEST,
                              .capacity_bytes = 4096,
                              .block_bytes = 64,
                              .copy_outside_bytes = 300,
                              .participants = 6,
                              .max_deliveries = 3,
                              .priorities = 4,
                              .flags = IPCKIT_QUEUE_JOINABLE};
  ipckit_queue_t* q = NULL;
  FUZZ_CHECK(ipckit_queue_create(name, &o, NULL, &q) == 0);
  uint8_t buffer[FUZZ_LARGEST];
  memset(buffer, 'x', sizeof buffer);
  ipckit_message_t message;
  for (uint32_t i = 0; i < 8; i++) FUZZ_CHECK(ipckit_queue_try_put(q, buffer, i * 57, i % 4) == 0);
  for (int i = 0; i < 6; i++) {
    const int64_t span = i % 2 ? 3600 * RING_SECOND : 0;
    FUZZ_CHECK(ipckit_queue_lease(q, buffer, sizeof buffer, &message, span, 0) >= 0);
    if (i == 0) FUZZ_CHECK(ipckit_queue_reject(q, &message.token) == 0);
    if (i == 1) FUZZ_CHECK(ipckit_queue_nack(q, &message.token, 3600 * RING_SECOND) == 0);
    if (i == 5) FUZZ_CHECK(ipckit_queue_nack(q, &message.token, 0) == 0);
  }
  FUZZ_CHECK(ipckit_queue_verify(q) == 0);
  return q;
}

ipckit_queue_t* fuzz_sound_queue(void) {
  static ipckit_queue_t* queue;
  static uint8_t* sound;
  if (queue == NULL) {
    char name[64];
    fuzz_name(name);
    queue = fuzz_queue(name);
    FUZZ_CHECK(ipckit_queue_unlink(name, FUZZ_DIRECTORY) == 0);
    sound = malloc(queue->map.bytes);
    FUZZ_CHECK(sound != NULL);
    memcpy(sound, queue->h, queue->map.bytes);
  }
  memcpy(queue->h, sound, queue->map.bytes);
  queue->leases = 0;
  queue->tasks.count = 0;
  return queue;
}

// Patching.
static uint64_t value_of(fuzz_input* in, uint64_t was, const ipckit_queue_t* q) {
  const uint64_t kind = fuzz_number(in, 1);
  switch (kind % 8) {
    case 0:
      return fuzz_number(in, 8);
    case 1:
      return fuzz_number(in, 1);
    case 2:
      return was + fuzz_number(in, 1) - 128;
    case 3:
      return was ^ 1ULL << (kind >> 3);
    case 4:
      return ~0ULL;
    case 5:
      return 1ULL << fuzz_number(in, 1) % 64;
    case 6: {  // a truth word that could be
      const uint64_t state = fuzz_number(in, 1) % 8;
      return ring_truth((uint32_t)state, (uint32_t)fuzz_number(in, 1) % 8, (uint32_t)fuzz_number(in, 1) % 4,
                        fuzz_number(in, 1));
    }
    default:
      // A lock or a place of somebody.
      return (kind & 8) ? (fuzz_number(in, 1) % 8 + 1) | (uint64_t)(kind >> 4) << 11 : q->people.tag;
  }
}

static void patch_at(ipckit_queue_t* q, fuzz_input* in, uint64_t offset, uint32_t bytes) {
  uint8_t* at = (uint8_t*)q->h + offset % (q->map.bytes - 8);
  uint64_t value = 0;
  memcpy(&value, at, bytes);
  value = value_of(in, value, q);
  memcpy(at, &value, bytes);
}

int fuzz_patch(ipckit_queue_t* q, fuzz_input* in) {
  const int count = (int)(fuzz_number(in, 1) % 24);
  for (int i = 0; i < count; i++) {
    const ring_geometry* g = &q->g;
    const uint64_t class = fuzz_number(in, 1), which = fuzz_number(in, 1);
    const uint64_t sections[] = {g->rings_at,       g->free_at,  g->heaps_at,
                                 g->free_blocks_at, g->links_at, g->marks_at};
    switch (class % 4) {
      case 0:  // the header after the identity
        patch_at(q, in, 512 + which % 200 * 8 + (class & 4), class & 8 ? 8 : 4);
        break;
      case 1: {  // a word of a cell
        static const uint8_t offsets[] = {0, 8, 16, 24, 32, 36, 40, 44};
        const uint32_t field = which >> 4 & 7;
        patch_at(q, in, g->cells_at + which % 16 * sizeof(ipckit_layout_cell_t) + offsets[field],
                 field < 4 ? 8 : 4);
        break;
      }
      case 2:  // an index
        patch_at(q, in, sections[(class >> 2) % 6] + which * 4, 4);
        break;
      default:  // somebody's place, or anything
        patch_at(q, in, class & 4 ? g->people_at + which % 8 * 128 : which << 8 | fuzz_number(in, 1), 4);
    }
  }
  return count;
}

// Calling.
static int64_t thread_time(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * RING_SECOND + now.tv_nsec;
}

static bool documented(int64_t result) {
  if (result >= 0) return true;
  switch (result) {
    case -EAGAIN:
    case -EBADF:
    case -EINVAL:
    case -EMSGSIZE:
    case -ETIMEDOUT:
    case -ENOTSUP:
    case IPCKIT_E_CORRUPT:
    case IPCKIT_E_STALE:
    case IPCKIT_E_SHUTDOWN:
    case IPCKIT_E_HELD:
    case IPCKIT_E_PREFETCH:
    case IPCKIT_E_TASKS:
      return true;
    default:
      return false;
  }
}

static ipckit_token_t tokens[8];
static int held;

static void keep(const ipckit_message_t* message) {
  FUZZ_CHECK(message->length <= FUZZ_LARGEST);
  FUZZ_CHECK(message->redelivered == (message->delivery_count > 1));
  tokens[held++ & 7] = message->token;
}

static const ipckit_token_t* some_token(fuzz_input* in) {
  static ipckit_token_t made;
  const uint64_t which = fuzz_number(in, 1);
  if (which & 8) {
    made = (ipckit_token_t){fuzz_number(in, 8), fuzz_number(in, 1), (uint32_t)fuzz_number(in, 4), 1};
    return &made;
  }
  return &tokens[which & 7];
}

static int64_t call(ipckit_queue_t* q, fuzz_input* in, uint64_t what) {
  // On the heap, where the address sanitizer sees each byte too many.
  static uint8_t *buffer, *slab;
  if (buffer == NULL) {
    buffer = malloc(FUZZ_LARGEST);
    slab = malloc(2 * FUZZ_LARGEST);
    FUZZ_CHECK(buffer && slab);
    memset(buffer, 'y', FUZZ_LARGEST);
  }
  ipckit_message_t message = {0}, messages[4];
  ipckit_queue_stat_t stat;
  ipckit_participant_t people[3];
  ipckit_wait_word_t words[IPCKIT_WAIT_WORDS];
  int64_t result, bound = 0;
  switch (what % 22) {
    case 0:
      return ipckit_queue_try_put(q, buffer, fuzz_number(in, 2) % (FUZZ_LARGEST + 2), (uint32_t)(what >> 5));
    case 1: {
      ipckit_slice_t slices[3] = {{buffer, 10, 0}, {buffer, fuzz_number(in, 1), 1}, {buffer, 350, 2}};
      return ipckit_queue_put_many(q, slices, 3, 0);
    }
    case 2:
      result = ipckit_queue_try_get(q, buffer, FUZZ_LARGEST, &message);
      if (result >= 0) FUZZ_CHECK(result == (int64_t)message.length && result <= FUZZ_LARGEST);
      return result;
    case 3:
      result = ipckit_queue_lease(q, buffer, FUZZ_LARGEST, &message, what >> 5, 0);
      if (result >= 0) keep(&message);
      return result;
    case 4:
      return ipckit_queue_ack(q, some_token(in));
    case 5:
      return ipckit_queue_nack(q, some_token(in), (int64_t)(what >> 5));
    case 6:
      return ipckit_queue_extend(q, some_token(in), (int64_t)(what >> 5));
    case 7:
      return ipckit_queue_reject(q, some_token(in));
    case 8:
      result = ipckit_queue_get_many(q, slab, 2 * FUZZ_LARGEST, messages, 4, 0);
      break;
    case 9:
      result = ipckit_queue_lease_many(q, slab, 2 * FUZZ_LARGEST, messages, 4, 1, 0);
      for (int64_t i = 0; i < result; i++) keep(&messages[i]);
      break;
    case 10:
      result = ipckit_queue_peek(q, buffer, FUZZ_LARGEST, &message);
      FUZZ_CHECK(result <= FUZZ_LARGEST);
      return result;
    case 11:
      result = ipckit_queue_get_dead(q, buffer, FUZZ_LARGEST, &message);
      FUZZ_CHECK(result <= FUZZ_LARGEST);
      return result;
    case 12:
      return ipckit_queue_stat(q, &stat);
    case 13:
      return ipckit_queue_sweep(q);
    case 14:
      return ipckit_queue_clear(q);
    case 15:
      return ipckit_queue_verify(q);
    case 16:
      return ipckit_queue_join(q, 0);
    case 17:
      result = ipckit_queue_arm(q, (uint32_t)(what >> 5), 100, words, &bound);
      FUZZ_CHECK(result <= IPCKIT_WAIT_WORDS && (result <= 0 || bound > 0));
      return result;
    case 18:
      return ipckit_queue_disarm(q, (uint32_t)(what >> 5));
    case 19:
      result = ipckit_queue_participants(q, people, 3);
      FUZZ_CHECK(result <= q->g.participants);
      return result;
    case 20:
      return ipckit_queue_task_done(q);
    default:
      return (what >> 5) == 7 ? ipckit_queue_shutdown(q, in->left & 1)
                              : ipckit_queue_get(q, buffer, 1, NULL, RING_MILLISECOND / 100);
  }
  // Batches: what they filled in lies in the slab.
  FUZZ_CHECK(result <= 4);
  for (int64_t i = 0; i < result; i++)
    FUZZ_CHECK(messages[i].offset + messages[i].length <= 2 * FUZZ_LARGEST);
  return result;
}

static bool lock_is_held(const ipckit_queue_t* q) {
  const uint32_t words[] = {ring_load(&q->h->producer_lock), ring_load(&q->h->consumer_lock),
                            ring_load(&q->h->recovery_lock)};
  for (int i = 0; i < 3; i++) {
    if (words[i] != 0 && ring_lock_owner_lives(words[i], &q->people)) return true;
  }
  return false;
}

bool fuzz_calls(ipckit_queue_t* q, fuzz_input* in, int calls) {
  bool corrupt = false;
  // A lock that seems held is waited for, up to its bound: one call shows that, and more would only take
  // time.
  if (lock_is_held(q)) calls = 1;
  for (int i = 0; i < calls && in->left > 0; i++) {
    const int64_t cpu = thread_time(), wall = ring_now();
    const int64_t result = call(q, in, fuzz_number(in, 1));
    FUZZ_CHECK(documented(result));
    // Two seconds of its own; more by the clock on the wall, since others use the processor too.
    FUZZ_CHECK(thread_time() - cpu < 2 * RING_SECOND);
    FUZZ_CHECK(ring_now() - wall < 8 * RING_SECOND);
    corrupt |= result == IPCKIT_E_CORRUPT;
    if (result == IPCKIT_E_HELD) break;
  }
  return corrupt;
}

// Seeds.
void fuzz_seed(int number, const void* bytes, size_t length) {
  char path[4096];
  snprintf(path, sizeof path, "%s/seed-%03d", getenv("IPCKIT_FUZZ_SEEDS"), number);
  FILE* file = fopen(path, "we");
  FUZZ_CHECK(file && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
}

int LLVMFuzzerInitialize(int* argc, char*** argv) {
  (void)argc;
  (void)argv;
  if (getenv("IPCKIT_FUZZ_SEEDS")) {
    fuzz_seeds();
    exit(0);
  }
  return 0;
}
