// What concerns the queue as a whole: join, shutdown, clear, stat, who is attached, and the check of every
// index.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "queue.h"
#include "shared/file.h"

static int64_t attempt_join(ring_queue* q, void* context) {
  (void)context;
  int64_t result = ring_enter_both(q);
  if (result < 0) return result;
  bool pending = ring_load(&q->h->next_seq) - 1 != ring_load(&q->h->done);
  result = -EAGAIN;
  if (!pending)
    result = 1;
  else if (ring_load(&q->h->state) == IPCKIT_STATE_STOPPED)
    result = IPCKIT_E_SHUTDOWN;
  return ring_leave_both(q, result);
}

int ipckit_queue_join(ipckit_queue_t* q, int64_t timeout_ns) {
  if (timeout_ns < 0) return -EINVAL;
  int64_t result = ring_retry(q, IPCKIT_WAIT_TASKS, 0, timeout_ns, attempt_join, NULL);
  return result < 0 ? (int)result : 0;
}

int ipckit_queue_shutdown(ipckit_queue_t* q, int immediate) {
  int64_t result = ring_enter_both(q);
  if (result < 0) return (int)result;
  uint32_t wanted = immediate ? IPCKIT_STATE_STOPPED : IPCKIT_STATE_DRAIN;
  // Commit point. Pairs with the loads in attempt of put.c and get.c and in ring_usable.
  if (ring_load(&q->h->state) < wanted) ring_store_release(&q->h->state, wanted);
  result = ring_leave_both(q, 0);
  ring_wake_everyone(q);
  return (int)result;
}

static int64_t clear(ring_queue* q) {
  int64_t removed = 0;
  for (uint32_t i = 0; i < q->g.cells; i++) {
    uint64_t truth = ring_load(&q->cells[i].truth);
    if (ring_truth_state(truth) != IPCKIT_CELL_READY) continue;
    int result = ring_finish(q, i, truth);
    if (result < 0) return result;
    ring_store(&q->h->dropped, ring_load(&q->h->dropped) + 1);
    removed++;
  }
  int result = ring_rebuild(q, false);
  return result < 0 ? result : removed;
}

int64_t ipckit_queue_clear(ipckit_queue_t* q) {
  int64_t result = ring_enter_both(q);
  if (result < 0) return result;
  result = ring_leave_both(q, clear(q));
  if (result >= 0) ring_wake_everyone(q);
  return result;
}

static void count_all(ring_queue* q, ipckit_queue_stat_t* s) {
  ipckit_layout_header_t* h = q->h;
  s->total_done = ring_load_acquire(&h->done);
  s->total_put = ring_load(&h->next_seq) - 1;
  s->in_flight = ring_load(&h->taken);
  s->depth = s->total_put - s->total_done - s->in_flight;
  s->delayed = ring_load(&h->heap_counts[RING_DELAYED]);
  s->dead = ring_load(&h->heap_counts[RING_DEAD]);
  s->total_redelivered = ring_load(&h->redeliveries);
  s->total_expired = ring_load(&h->expiries);
  s->total_dead = ring_load(&h->deaths);
  s->total_dropped = ring_load(&h->dropped);
  s->recoveries = ring_load(&h->recoveries);
  s->free_bytes = (uint64_t)(ring_load(&h->block_tail) - ring_load(&h->block_head)) * q->g.block_bytes;
  s->state = ring_load(&h->state);
}

int ipckit_queue_stat(ipckit_queue_t* q, ipckit_queue_stat_t* s) {
  memset(s, 0, sizeof *s);
  int64_t result = ring_enter_both(q);
  if (result == 0) {
    ring_settle_due(q);
    count_all(q, s);
    result = ring_leave_both(q, 0);
  } else if (result == IPCKIT_E_HELD) {
    // Who looks for the reason of a standstill must not stand still: the figures are those of a moment, not
    // of one.
    count_all(q, s);
    result = 0;
  }
  if (result < 0) return (int)result;
  const ipckit_layout_identity_t* id = &q->identity;
  s->id[0] = id->start.id[0];
  s->id[1] = id->start.id[1];
  s->capacity = q->g.capacity;
  s->capacity_bytes = q->g.capacity_bytes;
  s->max_message_bytes = q->g.max_message_bytes;
  s->size_bytes = q->map.bytes;
  s->created = id->created;
  s->fingerprint = id->fingerprint;
  memcpy(s->type_name, id->type_name, sizeof s->type_name);
  s->dead_capacity = q->g.dead_capacity;
  s->priorities = q->g.priorities;
  s->max_deliveries = q->g.max_deliveries;
  s->flags = q->g.flags;
  s->max_participants = q->g.participants;
  for (uint32_t slot = 0; slot < q->g.participants; slot++) {
    uint32_t epoch;
    s->participants += ring_people_used(&q->people, slot, &epoch);
  }
  struct stat file;
  if (fstat(q->people.fd, &file) < 0) return -errno;
  s->owner = file.st_uid;
  s->mode = file.st_mode & 07777;
  s->unlinked = file.st_nlink == 0;
  return 0;
}

int ipckit_queue_is_unlinked(ipckit_queue_t* q) { return ring_file_is_unlinked(&q->people); }

int ipckit_queue_participants(ipckit_queue_t* q, ipckit_participant_t* list, size_t count) {
  int result = ring_usable(q);
  if (result < 0) return result;
  int attached = 0;
  for (uint32_t slot = 0; slot < q->g.participants; slot++) {
    uint32_t epoch;
    if (!ring_people_used(&q->people, slot, &epoch)) continue;
    if ((size_t)attached < count) ring_people_describe(&q->people, slot, &list[attached]);
    attached++;
  }
  return attached;
}

// Verify.
// What each cell should be, gathered from the lists; private memory.
typedef struct audit {
  uint8_t* listed;  // how often a cell stands in a list
  uint8_t* blocks;  // how often a block is used or free
  uint32_t counts[6];
} audit;

static bool listed_as(ring_queue* q, audit* a, uint32_t cell, uint32_t state) {
  if (cell >= q->g.cells || a->listed[cell]++ != 0) return false;
  return ring_truth_state(ring_load(&q->cells[cell].truth)) == state;
}

static bool check_lists(ring_queue* q, audit* a) {
  ipckit_layout_header_t* h = q->h;
  uint32_t head = ring_load(&h->free_head), tail = ring_load(&h->free_tail);
  if (tail - head > q->g.cells || tail - head != a->counts[IPCKIT_CELL_FREE]) return false;
  for (; head != tail; head++) {
    if (!listed_as(q, a, ring_load(&q->free[head & (q->g.ring - 1)]), IPCKIT_CELL_FREE)) return false;
  }
  uint32_t ready = 0;
  for (uint32_t p = 0; p < q->g.priorities; p++) {
    head = ring_load(&h->heads[p]);
    tail = ring_load(ring_tail(q, p));
    if (tail - head > q->g.cells) return false;
    uint64_t last = 0;
    for (; head != tail; head++, ready++) {
      uint32_t cell = ring_load(&q->rings[(uint64_t)p * q->g.ring + (head & (q->g.ring - 1))]);
      if (!listed_as(q, a, cell, IPCKIT_CELL_READY) || ring_load(&q->cells[cell].priority) != p) return false;
      if (ring_load(&q->cells[cell].seq) <= last) return false;
      last = ring_load(&q->cells[cell].seq);
    }
  }
  const uint32_t states[] = {IPCKIT_CELL_READY, IPCKIT_CELL_READY, IPCKIT_CELL_TAKEN, IPCKIT_CELL_DEAD};
  for (uint32_t heap = 0; heap < IPCKIT_LAYOUT_HEAPS; heap++) {
    uint32_t count = ring_load(&h->heap_counts[heap]);
    if (count > q->g.cells) return false;
    if (states[heap] == IPCKIT_CELL_READY) ready += count;
    for (uint32_t i = 0; i < count; i++) {
      uint32_t cell = ring_load(&q->heaps[(uint64_t)heap * q->g.cells + i]);
      if (!listed_as(q, a, cell, states[heap]) || ring_load(&q->cells[cell].heap_index) != i) return false;
    }
  }
  return ready == a->counts[IPCKIT_CELL_READY] &&
         ring_load(&h->heap_counts[RING_DEAD]) == a->counts[IPCKIT_CELL_DEAD];
}

static bool check_blocks(ring_queue* q, audit* a) {
  ipckit_layout_header_t* h = q->h;
  for (uint32_t i = 0; i < q->g.cells; i++) {
    if (ring_truth_state(ring_load(&q->cells[i].truth)) == IPCKIT_CELL_FREE) continue;
    uint32_t block = ring_load(&q->cells[i].block);
    uint64_t length = ring_load(&q->cells[i].length);
    if (length > q->g.max_message_bytes) return false;
    for (uint32_t left = ring_blocks_of(q, length); left > 0; left--) {
      if (block >= q->g.blocks || a->blocks[block]++ != 0) return false;
      block = ring_load(&q->links[block]);
    }
  }
  uint32_t head = ring_load(&h->block_head), tail = ring_load(&h->block_tail);
  if (tail - head > q->g.blocks) return false;
  for (; head != tail; head++) {
    uint32_t block = ring_load(&q->free_blocks[head & (q->g.block_ring - 1)]);
    if (block >= q->g.blocks || a->blocks[block]++ != 0) return false;
  }
  for (uint32_t i = 0; i < q->g.blocks; i++) {
    if (a->blocks[i] != 1) return false;
  }
  return true;
}

static bool check_all(ring_queue* q, audit* a) {
  ipckit_layout_header_t* h = q->h;
  for (uint32_t i = 0; i < q->g.cells; i++) {
    uint32_t state = ring_truth_state(ring_load(&q->cells[i].truth));
    if (state < IPCKIT_CELL_FREE || state > IPCKIT_CELL_DEAD) return false;
    a->counts[state]++;
  }
  uint64_t pending = a->counts[IPCKIT_CELL_READY] + a->counts[IPCKIT_CELL_TAKEN];
  if (ring_load(&h->next_seq) - 1 - ring_load(&h->done) != pending) return false;
  if (ring_load(&h->taken) != a->counts[IPCKIT_CELL_TAKEN]) return false;
  if (ring_load(&h->writing) != a->counts[IPCKIT_CELL_WRITING]) return false;
  return check_lists(q, a) && check_blocks(q, a);
}

int ipckit_queue_verify(ipckit_queue_t* q) {
  audit a = {calloc(q->g.cells, 1), calloc((size_t)q->g.blocks + 1, 1), {0}};
  int64_t result = -ENOMEM;
  if (a.listed && a.blocks) {
    result = ring_enter_both(q);
    if (result == 0) {
      bool sound = check_all(q, &a);
      result = ring_leave_both(q, 0);
      if (result == 0 && !sound) result = IPCKIT_E_CORRUPT;
    }
  }
  free(a.listed);
  free(a.blocks);
  return (int)result;
}
