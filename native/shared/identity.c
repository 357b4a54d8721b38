// Beginnings of files, and the numbers of types' names. See identity.h.
#include "identity.h"

#include <string.h>
#include <sys/random.h>

#include "ipckit/sync_layout.h"
#include "word.h"

uint64_t ring_hash(const void* bytes, size_t length, uint64_t basis) {
  const uint8_t* at = bytes;
  for (size_t i = 0; i < length; i++) basis = (basis ^ at[i]) * 0x100000001b3ULL;
  return basis;
}

uint64_t ring_identity_checksum(const void* identity, size_t checksum_at) {
  uint8_t copy[RING_IDENTITY_BYTES];
  memcpy(copy, identity, sizeof copy);
  memset(copy + offsetof(ipckit_layout_start_t, version), 0, sizeof(uint32_t));
  memset(copy + checksum_at, 0, sizeof(uint64_t));
  return ring_hash(copy, sizeof copy, RING_HASH_BASIS);
}

uint64_t ipckit_fingerprint(const char* type_name) {
  uint64_t hash = ring_hash(type_name, strlen(type_name), RING_HASH_BASIS);
  // 0 stands for any type.
  return hash == 0 ? 1 : hash;
}

uint64_t ring_realtime(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * RING_SECOND + (uint64_t)now.tv_nsec;
}

int ring_random(void* bytes, size_t size) {
  ssize_t got;
  do got = getrandom(bytes, size, 0);
  while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : 0;
}

int ring_start_fill(ipckit_layout_start_t* start, uint64_t magic, uint64_t total_bytes) {
  start->magic = magic;
  start->version = IPCKIT_LAYOUT_VERSION;
  start->byte_order = IPCKIT_LAYOUT_ORDER;
  start->total_bytes = total_bytes;
  return ring_random(start->id, sizeof start->id);
}

int ring_start_check(const ipckit_layout_start_t* start, uint64_t magic, ipckit_refusal_t* refusal) {
  const uint64_t other = magic == IPCKIT_LAYOUT_MAGIC ? IPCKIT_LAYOUT_SYNC_MAGIC : IPCKIT_LAYOUT_MAGIC;
  if (start->magic == __builtin_bswap64(magic) || start->magic == __builtin_bswap64(other))
    return IPCKIT_E_BYTE_ORDER;
  if (start->magic == other) {
    refusal->kind = other == IPCKIT_LAYOUT_MAGIC ? IPCKIT_KIND_QUEUE
                                                 : ((const ipckit_layout_sync_identity_t*)start)->kind;
    return IPCKIT_E_KIND;
  }
  if (start->magic != magic) return IPCKIT_E_NOT_A_QUEUE;
  refusal->version = start->version;
  if (start->version == 0) return IPCKIT_E_CORRUPT;
  if (start->version >> 16 != IPCKIT_LAYOUT_VERSION >> 16) return IPCKIT_E_VERSION;
  return start->byte_order == IPCKIT_LAYOUT_ORDER ? 0 : IPCKIT_E_BYTE_ORDER;
}

void ring_type_fill(char type_name[128], const char* name) {
  memset(type_name, 0, 128);
  if (name) memcpy(type_name, name, strnlen(name, 127));
}

int ring_type_check(uint64_t found, const char found_name[128], uint64_t wanted, ipckit_refusal_t* refusal) {
  refusal->fingerprint = found;
  memcpy(refusal->type_name, found_name, sizeof refusal->type_name);
  refusal->type_name[sizeof refusal->type_name - 1] = 0;
  return wanted != 0 && found != 0 && wanted != found ? IPCKIT_E_TYPE : 0;
}
