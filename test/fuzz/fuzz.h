// What the fuzzers share: the input as a stream of numbers, the calls of a queue with a check of what they
// return, and a mapping between two guards. An input is what was done to a queue, so that each is short and
// most of its bytes matter.
#ifndef IPCKIT_TEST_FUZZ_H
#define IPCKIT_TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/queue.h"

#define FUZZ_LARGEST 600
#define FUZZ_DIRECTORY "/dev/shm"

// The rest of an input; reads zeros past its end.
typedef struct fuzz_input {
  const uint8_t* at;
  size_t left;
} fuzz_input;

uint64_t fuzz_number(fuzz_input* in, size_t bytes);

// A queue that holds some of everything: ready, returned, leased with and without an end, dead letters, and
// messages of one to ten blocks. Fails loudly.
ipckit_queue_t* fuzz_queue(const char* name);
void fuzz_name(char name[64]);

// Such a queue without a name, the same for each input: as it was made, whatever the last one did to it.
ipckit_queue_t* fuzz_sound_queue(void);

// Overwrites words as the input says: places that matter by name, or any. Returns how many.
int fuzz_patch(ipckit_queue_t* q, fuzz_input* in);

// Calls what the input says, at most `calls`. Each result must be sane: a value in range or a documented
// refusal, within two seconds. Returns whether one of them was IPCKIT_E_CORRUPT.
bool fuzz_calls(ipckit_queue_t* q, fuzz_input* in, int calls);

// Prints why and aborts, which libFuzzer reports with the input.
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char* what, const char* file, int line);

// Writes an input into the directory named by IPCKIT_FUZZ_SEEDS. `number` names it.
void fuzz_seed(int number, const void* bytes, size_t length);

// Defined by each fuzzer: writes its seeds by fuzz_seed.
void fuzz_seeds(void);

#endif
