// Cells, blocks and heaps. Every number read from shared memory is used only after it was compared with the
// private geometry, and every walk is bounded by it; what does not fit gives IPCKIT_E_CORRUPT.
#include <string.h>

#include "queue.h"

// How many cells ahead their lines are asked for. bench/ring, 2026-11-21.
#define AHEAD 4

// Allocating, under the producers' lock.
uint32_t ring_blocks_of(const ring_queue* q, uint64_t length) {
  if (length <= IPCKIT_LAYOUT_INLINE) return 0;
  return (uint32_t)((length + q->g.block_bytes - 1) >> q->g.block_shift);
}

// How many entries a ring holds for its reader; reloads the writer's end when the known one is not enough.
static int64_t available(uint32_t head, uint32_t* seen, const uint32_t* tail, uint32_t want, uint32_t size) {
  uint32_t end = ring_load(seen);
  if (end - head < want || end - head > size) {
    end = ring_load_acquire(tail);  // pairs with ring_room_publish: entries and freed cells are seen
    ring_store(seen, end);
  }
  return end - head > size ? IPCKIT_E_CORRUPT : (int64_t)(end - head);
}

static int allocate_blocks(ring_queue* q, uint32_t need, uint32_t* first) {
  ipckit_layout_header_t* h = q->h;
  uint32_t head = ring_load(&h->block_head);
  int64_t room = available(head, &h->block_seen, &h->block_tail, need, q->g.block_ring);
  if (room < 0) return (int)room;
  if (room < need) return -EAGAIN;
  uint32_t previous = IPCKIT_LAYOUT_NONE;
  for (uint32_t i = 0; i < need; i++) {
    uint32_t block = ring_load(&q->free_blocks[(head + i) & (q->g.block_ring - 1)]);
    if (block >= q->g.blocks) return IPCKIT_E_CORRUPT;
    if (i == 0)
      *first = block;
    else
      ring_store(&q->links[previous], block);
    previous = block;
  }
  ring_store(&h->block_head, head + need);
  return 0;
}

int ring_allocate(ring_queue* q, size_t length, uint32_t* cell) {
  ipckit_layout_header_t* h = q->h;
  uint32_t head = ring_load(&h->free_head);
  int64_t room = available(head, &h->free_seen, &h->free_tail, 1, q->g.ring);
  // The capacity leaves room for every dead letter, so whoever passed it finds a cell.
  if (room < 1) return IPCKIT_E_CORRUPT;
  uint32_t index = ring_load(&q->free[head & (q->g.ring - 1)]);
  if (index >= q->g.cells) return IPCKIT_E_CORRUPT;
  if (ring_truth_state(ring_load(&q->cells[index].truth)) != IPCKIT_CELL_FREE) return IPCKIT_E_CORRUPT;
  if (length > IPCKIT_LAYOUT_INLINE) {
    uint32_t first = 0;
    int result = allocate_blocks(q, ring_blocks_of(q, length), &first);
    if (result < 0) return result;
    ring_store(&q->cells[index].block, first);
  }
  ring_store(&h->free_head, head + 1);
  *cell = index;
  // A batch comes to this one soon; the consumers' processor has its two lines.
  uint32_t soon = ring_load(&q->free[(head + AHEAD) & (q->g.ring - 1)]);
  if (soon < q->g.cells) {
    __builtin_prefetch(&q->cells[soon], 1);
    __builtin_prefetch(&q->cells[soon].payload[IPCKIT_LAYOUT_INLINE - 1], 1);
  }
  return 0;
}

// Releasing, under the consumers' lock.
ring_room ring_room_begin(ring_queue* q) {
  return (ring_room){ring_load(&q->h->free_tail), ring_load(&q->h->block_tail), ring_load(&q->h->done)};
}

void ring_room_publish(ring_queue* q, const ring_room* room) {
  // Both publish to available, in allocate_blocks and in ring_allocate.
  ring_store_release(&q->h->block_tail, room->block_tail);
  ring_store_release(&q->h->free_tail, room->free_tail);
  // After the free cells: whoever sees messages done (has_room in put.c) finds them.
  ring_store_release(&q->h->done, room->done);
}

int ring_release_into(ring_queue* q, ring_room* room, uint32_t cell, uint64_t truth) {
  ipckit_layout_cell_t* c = &q->cells[cell];
  uint32_t length = ring_load(&c->length);
  uint32_t block = ring_load(&c->block);
  if (length > q->g.max_message_bytes) return IPCKIT_E_CORRUPT;
  ring_commit(c, ring_truth(IPCKIT_CELL_FREE, 0, 0, ring_truth_generation(truth)));
  for (uint32_t left = ring_blocks_of(q, length); left > 0; left--) {
    if (block >= q->g.blocks) return IPCKIT_E_CORRUPT;
    ring_store(&q->free_blocks[room->block_tail++ & (q->g.block_ring - 1)], block);
    block = ring_load(&q->links[block]);
  }
  ring_store(&q->free[room->free_tail++ & (q->g.ring - 1)], cell);
  return 0;
}

int ring_finish_into(ring_queue* q, ring_room* room, uint32_t cell, uint64_t truth) {
  room->done++;
  return ring_release_into(q, room, cell, truth);
}

int ring_release(ring_queue* q, uint32_t cell, uint64_t truth) {
  ring_room room = ring_room_begin(q);
  int result = ring_release_into(q, &room, cell, truth);
  if (result == 0) ring_room_publish(q, &room);
  return result;
}

int ring_finish(ring_queue* q, uint32_t cell, uint64_t truth) {
  ring_room room = ring_room_begin(q);
  int result = ring_finish_into(q, &room, cell, truth);
  if (result == 0) ring_room_publish(q, &room);
  return result;
}

// Payload.
// Blocks that follow each other in memory are copied as one.
static int64_t run(ring_queue* q, uint32_t* block, uint32_t* blocks_left, uint32_t* start) {
  if (*block >= q->g.blocks) return IPCKIT_E_CORRUPT;
  *start = *block;
  uint32_t count = 1;
  while (count < *blocks_left) {
    uint32_t next = ring_load(&q->links[*start + count - 1]);
    *block = next;
    if (next != *start + count || next >= q->g.blocks) break;
    count++;
  }
  *blocks_left -= count;
  return (int64_t)count << q->g.block_shift;
}

// At most IPCKIT_LAYOUT_INLINE bytes: the call of memcpy for them costs more than the copy.
static inline void copy_inline(uint8_t* to, const uint8_t* from, size_t length) {
  if (length < 16) {
    if (length > 0) memcpy(to, from, length);
    return;
  }
  for (size_t at = 0; at + 16 < length; at += 16) memcpy(to + at, from + at, 16);
  memcpy(to + length - 16, from + length - 16, 16);
}

int ring_copy_in(ring_queue* q, uint32_t cell, const void* data, size_t length) {
  if (length <= IPCKIT_LAYOUT_INLINE) {
    copy_inline(q->cells[cell].payload, data, length);
    return 0;
  }
  const uint8_t* from = data;
  uint32_t block = ring_load(&q->cells[cell].block);
  uint32_t left = ring_blocks_of(q, length);
  while (left > 0) {
    uint32_t start;
    int64_t bytes = run(q, &block, &left, &start);
    if (bytes < 0) return (int)bytes;
    if ((uint64_t)bytes > length) bytes = (int64_t)length;
    memcpy(q->blocks + ((uint64_t)start << q->g.block_shift), from, (size_t)bytes);
    from += bytes;
    length -= (size_t)bytes;
  }
  return 0;
}

int ring_copy_out(ring_queue* q, uint32_t cell, void* buffer, size_t length) {
  if (length <= IPCKIT_LAYOUT_INLINE) {
    copy_inline(buffer, q->cells[cell].payload, length);
    return 0;
  }
  uint8_t* to = buffer;
  uint32_t block = ring_load(&q->cells[cell].block);
  uint32_t left = ring_blocks_of(q, length);
  while (left > 0) {
    uint32_t start;
    int64_t bytes = run(q, &block, &left, &start);
    if (bytes < 0) return (int)bytes;
    if ((uint64_t)bytes > length) bytes = (int64_t)length;
    memcpy(to, q->blocks + ((uint64_t)start << q->g.block_shift), (size_t)bytes);
    to += bytes;
    length -= (size_t)bytes;
  }
  return 0;
}

// Heaps, under the consumers' lock.
// ---------------------------------------------------------------------------- Binary heaps of cell numbers.
// A hostile writer can make them unordered, never unbounded: every entry is compared with the number of cells
// when it is read, every position with the count.

static uint32_t* entries(ring_queue* q, enum ring_heap heap) {
  return q->heaps + (uint64_t)heap * q->g.cells;
}

static int64_t count_of(ring_queue* q, enum ring_heap heap) {
  uint32_t count = ring_load(&q->h->heap_counts[heap]);
  return count > q->g.cells ? IPCKIT_E_CORRUPT : (int64_t)count;
}

// An entry, made harmless: cell 0 stands for a number that cannot be. The heap is wrong then, and who takes
// the cell out finds its truth word in another state.
static uint32_t entry(ring_queue* q, const uint32_t* heap, uint32_t position) {
  uint32_t cell = ring_load(&heap[position]);
  return cell < q->g.cells ? cell : 0;
}

static bool before(ring_queue* q, enum ring_heap heap, uint32_t a, uint32_t b) {
  const ipckit_layout_cell_t *x = &q->cells[a], *y = &q->cells[b];
  if (heap == RING_RETURNED) {
    uint8_t p = ring_load(&x->priority), r = ring_load(&y->priority);
    if (p != r) return p > r;
    return ring_load(&x->seq) < ring_load(&y->seq);
  }
  const uint64_t k = heap == RING_DELAYED ? ring_load(&x->ready_at) : ring_load(&x->until);
  const uint64_t l = heap == RING_DELAYED ? ring_load(&y->ready_at) : ring_load(&y->until);
  if (k != l) return k < l;
  return ring_load(&x->seq) < ring_load(&y->seq);
}

static void place(ring_queue* q, uint32_t* heap, uint32_t position, uint32_t cell) {
  ring_store(&heap[position], cell);
  ring_store(&q->cells[cell].heap_index, position);
}

static uint32_t sift_up(ring_queue* q, enum ring_heap kind, uint32_t position, uint32_t cell) {
  uint32_t* heap = entries(q, kind);
  while (position > 0) {
    uint32_t parent = (position - 1) / 2;
    uint32_t other = entry(q, heap, parent);
    if (!before(q, kind, cell, other)) break;
    place(q, heap, position, other);
    position = parent;
  }
  place(q, heap, position, cell);
  return position;
}

static void sift_down(ring_queue* q, enum ring_heap kind, uint32_t count, uint32_t position, uint32_t cell) {
  uint32_t* heap = entries(q, kind);
  for (;;) {
    uint32_t child = 2 * position + 1;
    if (child >= count) break;
    if (child + 1 < count && before(q, kind, entry(q, heap, child + 1), entry(q, heap, child))) child++;
    uint32_t other = entry(q, heap, child);
    if (!before(q, kind, other, cell)) break;
    place(q, heap, position, other);
    position = child;
  }
  place(q, heap, position, cell);
}

int ring_heap_append(ring_queue* q, enum ring_heap heap, uint32_t cell) {
  int64_t count = count_of(q, heap);
  if (count < 0 || count >= q->g.cells) return IPCKIT_E_CORRUPT;
  place(q, entries(q, heap), (uint32_t)count, cell);
  ring_store(&q->h->heap_counts[heap], (uint32_t)count + 1);
  return 0;
}

int ring_heap_push(ring_queue* q, enum ring_heap heap, uint32_t cell) {
  int64_t count = count_of(q, heap);
  if (count < 0 || count >= q->g.cells) return IPCKIT_E_CORRUPT;
  ring_store(&q->h->heap_counts[heap], (uint32_t)count + 1);
  sift_up(q, heap, (uint32_t)count, cell);
  return 0;
}

void ring_heap_order(ring_queue* q, enum ring_heap heap) {
  int64_t count = count_of(q, heap);
  for (int64_t position = count / 2 - 1; position >= 0; position--) {
    sift_down(q, heap, (uint32_t)count, (uint32_t)position, entry(q, entries(q, heap), (uint32_t)position));
  }
}

int64_t ring_heap_first(ring_queue* q, enum ring_heap heap) {
  int64_t count = count_of(q, heap);
  if (count < 0) return count;
  if (count == 0) return -EAGAIN;
  uint32_t cell = ring_load(&entries(q, heap)[0]);
  return cell < q->g.cells ? (int64_t)cell : IPCKIT_E_CORRUPT;
}

int64_t ring_heap_take(ring_queue* q, enum ring_heap kind, uint32_t position) {
  int64_t count = count_of(q, kind);
  if (count < 0 || position >= count) return IPCKIT_E_CORRUPT;
  uint32_t* heap = entries(q, kind);
  uint32_t cell = ring_load(&heap[position]);
  uint32_t last = ring_load(&heap[count - 1]);
  if (cell >= q->g.cells || last >= q->g.cells) return IPCKIT_E_CORRUPT;
  ring_store(&q->h->heap_counts[kind], (uint32_t)count - 1);
  if (position != count - 1) {
    sift_down(q, kind, (uint32_t)count - 1, sift_up(q, kind, position, last), last);
  }
  return cell;
}

static int64_t position_of(ring_queue* q, enum ring_heap heap, uint32_t cell) {
  int64_t count = count_of(q, heap);
  uint32_t position = ring_load(&q->cells[cell].heap_index);
  if (count < 0 || position >= count || ring_load(&entries(q, heap)[position]) != cell)
    return IPCKIT_E_CORRUPT;
  return position;
}

int ring_heap_remove(ring_queue* q, enum ring_heap heap, uint32_t cell) {
  int64_t position = position_of(q, heap, cell);
  if (position < 0) return (int)position;
  int64_t taken = ring_heap_take(q, heap, (uint32_t)position);
  return taken < 0 ? (int)taken : 0;
}

int ring_heap_move(ring_queue* q, enum ring_heap heap, uint32_t cell) {
  int64_t position = position_of(q, heap, cell);
  if (position < 0) return (int)position;
  int64_t count = count_of(q, heap);
  if (count <= position) return IPCKIT_E_CORRUPT;
  sift_down(q, heap, (uint32_t)count, sift_up(q, heap, (uint32_t)position, cell), cell);
  return 0;
}
