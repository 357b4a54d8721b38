// Recovery of a queue with dead owners, on overwritten words: cells in WRITING and TAKEN of participants that
// do not exist, locks of theirs, and any word besides. Where only the dead were made, the recovery must
// succeed, leave every index right and nothing with the dead.
#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

// Places that nobody holds the byte of.
#define FIRST_DEAD 1
#define DEAD 4

// Gives what the queue holds to the dead, as a death at some instruction leaves it. A cell that is free
// becomes one that was being written; the index that still lists it is what a recovery makes anew.
static void kill_some(ipckit_queue_t* queue, fuzz_input* in) {
  for (uint32_t slot = FIRST_DEAD; slot < FIRST_DEAD + DEAD; slot++) {
    queue->people.table[slot].word = (uint32_t)fuzz_number(in, 1) << 2 | IPCKIT_SLOT_USED;
  }
  for (uint32_t i = 0; i < queue->g.cells; i++) {
    ipckit_layout_cell_t* c = &queue->cells[i];
    const uint32_t owner = FIRST_DEAD + (uint32_t)fuzz_number(in, 1) % DEAD;
    const uint64_t generation = ring_truth_generation(c->truth);
    switch (ring_truth_state(c->truth)) {
      case IPCKIT_CELL_FREE:
        if (in->left % 2) c->truth = ring_truth(IPCKIT_CELL_WRITING, owner, 0, generation + 1);
        break;
      case IPCKIT_CELL_READY:
        if (in->left % 2) c->truth = ring_truth(IPCKIT_CELL_TAKEN, owner, 1, generation);
        break;
      case IPCKIT_CELL_TAKEN:
        c->truth = ring_truth(IPCKIT_CELL_TAKEN, owner, 1, generation);
        break;
      default:
        break;
    }
  }
  const uint64_t locks = fuzz_number(in, 1);
  const uint32_t slot = FIRST_DEAD + (uint32_t)(locks >> 4) % DEAD;
  const uint32_t tag = (slot + 1) | queue->people.table[slot].word >> 2 << 11;
  if (locks & 1) queue->h->producer_lock = tag;
  if (locks & 2) queue->h->consumer_lock = tag | RING_LOCK_SLEEPERS;
  if (locks & 4) queue->h->recovery_lock = tag;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipckit_queue_t* queue = fuzz_sound_queue();
  fuzz_input in = {data, size};
  kill_some(queue, &in);
  const bool whole = fuzz_patch(queue, &in) == 0;
  int64_t end = 0;
  // Without a lock of the dead, indices that are not those of the words would be nobody's fault: recover
  // first then.
  if (whole || in.left % 2) {
    const int recovered = ring_recover(queue, &end);
    FUZZ_CHECK(recovered == 0 || recovered == IPCKIT_E_CORRUPT || recovered == IPCKIT_E_HELD ||
               recovered == -EBADF);
    if (whole) FUZZ_CHECK(recovered == 0);
  }
  const bool corrupt = fuzz_calls(queue, &in, 8);
  if (whole) {
    FUZZ_CHECK(!corrupt);
    FUZZ_CHECK(ipckit_queue_sweep(queue) >= 0);
    const int left = ipckit_queue_verify(queue);
    FUZZ_CHECK(left == 0);
    for (uint32_t i = 0; i < queue->g.cells; i++) {
      const uint64_t truth = queue->cells[i].truth;
      const uint32_t state = ring_truth_state(truth);
      if (state != IPCKIT_CELL_TAKEN && state != IPCKIT_CELL_WRITING) continue;
      FUZZ_CHECK(ring_truth_owner(truth) == queue->people.slot);
    }
  }
  return 0;
}

void fuzz_seeds(void) {
  uint8_t input[32];
  int number = 0;
  for (uint8_t locks = 0; locks < 8; locks++) {
    for (uint8_t what = 0; what < 6; what++) {
      memset(input, what, sizeof input);
      for (uint8_t i = 0; i < 4; i++) input[i] = 1;
      input[15] = (uint8_t)(locks | what << 4);
      input[16] = what < 3 ? 0 : 1;
      fuzz_seed(number++, input, sizeof input - (locks & 1));
    }
  }
}
