// Calls on a queue whose words were overwritten: put, get, lease, their batches, ack and friends, dead
// letters, and the calls about the whole. Without an overwritten word nothing may be refused as damaged, and
// every index must be right in the end.
#include <string.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ipckit_queue_t* queue = fuzz_sound_queue();
  fuzz_input in = {data, size};
  const bool whole = fuzz_patch(queue, &in) == 0;
  const bool corrupt = fuzz_calls(queue, &in, 12);
  if (whole) {
    FUZZ_CHECK(!corrupt);
    const int left = ipckit_queue_verify(queue);
    FUZZ_CHECK(left == 0);
  }
  return 0;
}

void fuzz_seeds(void) {
  // Each call on the sound queue, then with one word of each kind overwritten.
  uint8_t input[16];
  int number = 0;
  for (uint8_t what = 0; what < 22; what++) {
    memcpy(input, (uint8_t[]){0, what, 100, 0, (uint8_t)(what + 32), 2, 3, 2, 4, 0, 11, 15}, 12);
    fuzz_seed(number++, input, 12);
    memcpy(input, (uint8_t[]){1, (uint8_t)(what % 4), (uint8_t)(what * 11), 2, 200, what, 1, 0, 2, 3, 11, 15},
           12);
    fuzz_seed(number++, input, 12);
  }
}
