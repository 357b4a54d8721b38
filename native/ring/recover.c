// Recovery: every list, counter and free space is rebuilt from the truth words, and what the dead held goes
// back. It changes truth words only one at a time, each to a state from which a second recovery goes on, so
// it may be killed at any instruction. Who recovers holds the recovery lock and, by then, both others.
#include <string.h>

#include "queue.h"

// A block that two messages claim, or a chain that leaves the file.
static int mark_blocks(ring_queue* q, uint32_t cell) {
  const ipckit_layout_cell_t* c = &q->cells[cell];
  uint32_t length = ring_load(&c->length);
  uint32_t block = ring_load(&c->block);
  if (length > q->g.max_message_bytes) return IPCKIT_E_CORRUPT;
  for (uint32_t left = ring_blocks_of(q, length); left > 0; left--) {
    if (block >= q->g.blocks) return IPCKIT_E_CORRUPT;
    uint64_t bit = 1ULL << (block & 63);
    uint64_t marks = ring_load(&q->marks[block >> 6]);
    if (marks & bit) return IPCKIT_E_CORRUPT;
    ring_store(&q->marks[block >> 6], marks | bit);
    block = ring_load(&q->links[block]);
  }
  return 0;
}

// What one pass over the cells found.
typedef struct census {
  uint32_t free, writing, taken, orphans;
  uint64_t pending, last_seq, last_death;
} census;

// Lists one cell by its truth word. `gone[slot]` is non-zero for owners that are not there.
static int count_cell(ring_queue* q, uint32_t i, const uint64_t* gone, int64_t now, census* found) {
  ipckit_layout_cell_t* c = &q->cells[i];
  uint64_t truth = ring_load_acquire(&c->truth);  // pairs with ring_commit of whoever died
  uint32_t owner = ring_truth_owner(truth);
  bool orphan = owner >= q->g.participants || gone[owner] != 0;
  uint32_t state = ring_truth_state(truth);
  if (state == IPCKIT_CELL_WRITING && orphan) {
    // The put never returned. Its blocks are nobody's, since nothing marks them.
    ring_commit(c, ring_truth(IPCKIT_CELL_FREE, 0, 0, ring_truth_generation(truth)));
    state = IPCKIT_CELL_FREE;
  }
  if (state == IPCKIT_CELL_FREE) {
    ring_store(&q->free[found->free++], i);
    return 0;
  }
  int result = mark_blocks(q, i);
  if (result < 0) return result;
  if (state == IPCKIT_CELL_WRITING) {
    found->writing++;
    return 0;
  }
  if (ring_load(&c->priority) >= q->g.priorities) return IPCKIT_E_CORRUPT;
  uint64_t seq = ring_load(&c->seq);
  if (seq > found->last_seq) found->last_seq = seq;
  switch (state) {
    case IPCKIT_CELL_READY: {
      found->pending++;
      uint64_t ready_at = ring_load(&c->ready_at);
      return ring_heap_append(q, ready_at != 0 && (int64_t)ready_at > now ? RING_DELAYED : RING_RETURNED, i);
    }
    case IPCKIT_CELL_TAKEN:
      found->pending++;
      found->taken++;
      found->orphans += orphan;
      return ring_load(&c->until) != 0 ? ring_heap_append(q, RING_LEASED, i) : 0;
    case IPCKIT_CELL_DEAD:
      if (ring_load(&c->until) > found->last_death) found->last_death = ring_load(&c->until);
      return ring_heap_append(q, RING_DEAD, i);
    default:
      return IPCKIT_E_CORRUPT;
  }
}

static void list_free_blocks(ring_queue* q) {
  uint32_t count = 0;
  for (uint32_t block = 0; block < q->g.blocks; block++) {
    if (!(ring_load(&q->marks[block >> 6]) >> (block & 63) & 1)) ring_store(&q->free_blocks[count++], block);
  }
  ring_store(&q->h->block_head, 0);
  ring_store(&q->h->block_tail, count);
  ring_store(&q->h->block_seen, count);
}

static void empty_lists(ring_queue* q) {
  ipckit_layout_header_t* h = q->h;
  for (uint32_t i = 0; i < (q->g.blocks + 63) / 64; i++) ring_store(&q->marks[i], 0);
  for (uint32_t p = 0; p < q->g.priorities; p++) {
    ring_store(ring_tail(q, p), 0);
    ring_store(&h->heads[p], 0);
  }
  ring_store(&h->tail_seen, 0);
  for (int heap = 0; heap < IPCKIT_LAYOUT_HEAPS; heap++) ring_store(&h->heap_counts[heap], 0);
}

// After the lists are whole: what the dead had leased goes back as if they had returned it.
static int return_orphans(ring_queue* q, const uint64_t* gone) {
  for (uint32_t i = 0; i < q->g.cells; i++) {
    uint64_t truth = ring_load(&q->cells[i].truth);
    uint32_t owner = ring_truth_owner(truth);
    if (ring_truth_state(truth) != IPCKIT_CELL_TAKEN) continue;
    if (owner < q->g.participants && gone[owner] == 0) continue;
    int result = ring_give_back(q, i, truth, 0);
    if (result < 0) return result;
  }
  return 0;
}

int ring_rebuild(ring_queue* q, bool leaving) {
  ipckit_layout_header_t* h = q->h;
  uint64_t dead[RING_MAX_PARTICIPANTS], gone[RING_MAX_PARTICIPANTS];
  ring_people_dead(&q->people, dead);
  for (uint32_t slot = 0; slot < q->g.participants; slot++) {
    uint32_t epoch;
    gone[slot] = dead[slot] != 0 || !ring_people_used(&q->people, slot, &epoch);
  }
  gone[q->people.slot] = leaving;

  empty_lists(q);
  census found = {0};
  const int64_t now = ring_now();
  for (uint32_t i = 0; i < q->g.cells; i++) {
    int result = count_cell(q, i, gone, now, &found);
    if (result < 0) return result;
  }
  for (int heap = 0; heap < IPCKIT_LAYOUT_HEAPS; heap++) ring_heap_order(q, (enum ring_heap)heap);
  list_free_blocks(q);
  ring_store(&h->free_head, 0);
  ring_store(&h->free_tail, found.free);
  ring_store(&h->free_seen, found.free);
  ring_store(&h->writing, found.writing);
  ring_store(&h->taken, found.taken);
  if (found.last_death > ring_load(&h->deaths)) ring_store(&h->deaths, found.last_death);
  // A message that was committed when its producer died has a number that was not counted yet.
  uint64_t next = ring_load(&h->next_seq);
  if (next <= found.last_seq) next = found.last_seq + 1;
  if (next - 1 < found.pending) return IPCKIT_E_CORRUPT;
  ring_store(&h->next_seq, next);
  ring_store_release(&h->done, next - 1 - found.pending);
  ring_store(&h->done_seen, next - 1 - found.pending);

  int result = found.orphans > 0 ? return_orphans(q, gone) : 0;
  if (result < 0) return result;
  for (uint32_t slot = 0; slot < q->g.participants; slot++) {
    if (dead[slot] != 0) ring_people_bury(&q->people, slot, (uint32_t)(dead[slot] - 1));
  }
  return 0;
}

void ring_wake_everyone(ring_queue* q) {
  ipckit_layout_wait_t* places[] = {&q->h->items, &q->h->space, &q->h->tasks};
  for (int i = 0; i < 3; i++) {
    __atomic_fetch_add(&places[i]->event, 2, __ATOMIC_SEQ_CST);
    ring_futex_wake(&places[i]->event, INT_MAX);
  }
}

// Takes a lock or finds that its owner is dead. Such a word stays as it is until both locks are ours: it is
// the mark that a rebuild is due, should we have to give up or die.
static int claim(ring_queue* q, uint32_t* lock, bool* taken, int64_t* end) {
  int result = ring_lock(lock, &q->people, end);
  *taken = result == 0;
  return result < 0 ? result : 0;
}

static int inherit(ring_queue* q, uint32_t* lock) {
  // The word changes only by sleepers that set their bit, once. A lock word that goes on changing is
  // scribbled over.
  for (int attempt = 0; attempt < 64; attempt++) {
    if (ring_lock_inherit(lock, ring_load(lock), &q->people)) return 0;
  }
  return IPCKIT_E_CORRUPT;
}

static int recover_locked(ring_queue* q, int64_t* end) {
  ipckit_layout_header_t* h = q->h;
  bool producers = false, consumers = false;
  int result = claim(q, &h->producer_lock, &producers, end);
  if (result < 0) return result;
  result = claim(q, &h->consumer_lock, &consumers, end);
  if (result < 0) {
    if (producers) ring_unlock(&h->producer_lock, &q->people);
    return result;
  }
  if (!producers) result = inherit(q, &h->producer_lock);
  if (!consumers && result == 0) result = inherit(q, &h->consumer_lock);
  if (result == 0) result = ring_rebuild(q, false);
  ring_store(&h->recoveries, ring_load(&h->recoveries) + 1);
  // Only now: until here each of the two words says that a rebuild is due.
  return (int)ring_leave_both(q, result);
}

int ring_recover(ring_queue* q, int64_t* end) {
  int result = ring_usable(q);
  if (result < 0) return result;
  result = ring_lock_anyway(&q->h->recovery_lock, &q->people, end);
  if (result < 0) return result;
  result = recover_locked(q, end);
  // Those whose wake-up the dead swallowed, and those who may go on now.
  if (result == 0) ring_wake_everyone(q);
  ring_unlock(&q->h->recovery_lock, &q->people);
  return result;
}
