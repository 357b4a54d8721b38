// Where everything lies, from the few numbers in the identity. The sums are made in 64 bits from operands
// that were bounded first, so none overflows; whoever opens a file compares the total with its size.
#include <string.h>

#include "queue.h"
#include "shared/file.h"
#include "shared/identity.h"

_Static_assert(sizeof(ipckit_layout_identity_t) == RING_IDENTITY_BYTES, "identity");
_Static_assert(offsetof(ipckit_layout_header_t, state) == 512, "state");
_Static_assert(offsetof(ipckit_layout_header_t, recovery_lock) == 640, "recovery");
_Static_assert(offsetof(ipckit_layout_header_t, producer_lock) == 768, "producers");
_Static_assert(offsetof(ipckit_layout_header_t, tail) == 896, "tail");
_Static_assert(offsetof(ipckit_layout_header_t, tails) == 1024, "tails");
_Static_assert(offsetof(ipckit_layout_header_t, consumer_lock) == 1152, "consumers");
_Static_assert(offsetof(ipckit_layout_header_t, done) == 1280, "freed");
_Static_assert(offsetof(ipckit_layout_header_t, heap_counts) == 1408, "lists");
_Static_assert(offsetof(ipckit_layout_header_t, items) == 1536, "items");
_Static_assert(sizeof(ipckit_layout_header_t) == 4096, "header");
_Static_assert(sizeof(ipckit_layout_participant_t) == 128, "participant");
_Static_assert(sizeof(ipckit_layout_cell_t) == 128, "cell");

static uint32_t power_of_two(uint32_t at_least) {
  uint32_t power = 1;
  while (power < at_least) power <<= 1;
  return power;
}

bool ring_geometry_derive(ring_geometry* g) {
  if (g->capacity < 1 || g->capacity > RING_MAX_CAPACITY || g->dead_capacity > RING_MAX_CAPACITY)
    return false;
  if (g->cells != g->capacity + g->dead_capacity) return false;
  if (g->priorities < 1 || g->priorities > IPCKIT_LAYOUT_PRIORITIES) return false;
  if (g->participants < 2 || g->participants > RING_MAX_PARTICIPANTS) return false;
  if (g->block_bytes < 64 || g->block_bytes > 65536 || (g->block_bytes & (g->block_bytes - 1)) != 0)
    return false;
  if (g->max_message_bytes > RING_MAX_MESSAGE || g->capacity_bytes > RING_MAX_BYTES) return false;
  if (g->blocks > RING_MAX_BLOCKS || g->max_deliveries > RING_MAX_DELIVERY) return false;
  if (g->max_message_bytes > IPCKIT_LAYOUT_INLINE &&
      g->max_message_bytes > (uint64_t)g->blocks * g->block_bytes) {
    return false;
  }
  g->ring = power_of_two(g->cells);
  g->block_ring = power_of_two(g->blocks);
  g->block_shift = (uint32_t)__builtin_ctz(g->block_bytes);
  uint64_t at = sizeof(ipckit_layout_header_t);
  g->people_at = ring_section(&at, (uint64_t)g->participants * sizeof(ipckit_layout_participant_t), 128);
  g->cells_at = ring_section(&at, (uint64_t)g->cells * sizeof(ipckit_layout_cell_t), 128);
  g->rings_at = ring_section(&at, (uint64_t)g->priorities * g->ring * 4, 128);
  g->free_at = ring_section(&at, (uint64_t)g->ring * 4, 128);
  g->heaps_at = ring_section(&at, (uint64_t)IPCKIT_LAYOUT_HEAPS * g->cells * 4, 128);
  g->free_blocks_at = ring_section(&at, (uint64_t)g->block_ring * 4, 128);
  g->links_at = ring_section(&at, (uint64_t)g->blocks * 4, 128);
  g->marks_at = ring_section(&at, ((uint64_t)g->blocks + 63) / 64 * 8, 128);
  g->blocks_at = ring_section(&at, (uint64_t)g->blocks * g->block_bytes, 4096);
  g->total_bytes = (at + 4095) & ~4095ULL;
  return true;
}
