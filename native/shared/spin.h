// How long to poll before sleeping, learned by what polling brought. The budget is a number of the handle;
// races on it are harmless.
#ifndef IPCKIT_SHARED_SPIN_H
#define IPCKIT_SHARED_SPIN_H

#include <stdint.h>
#include <unistd.h>

// A sleep costs 5 to 60 us, a pause some 20 ns: polling for 20 to 50 us may win. bench/ring, 2026-11-21.
#define RING_SPINS_FIRST 1000U
#define RING_SPINS_MOST 4000U
// Polling that never pays, as on a shared processor, dies out; now and then it is tried again.
#define RING_SPINS_PROBE 64U
#define RING_SPINS_PROBE_EVERY 64U

// The budget of a new handle. Asks the kernel, which reads a file for it.
static inline uint32_t ring_spins_begin(void) {
  return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? RING_SPINS_FIRST : 0;
}

// How often to look this time. Below RING_SPINS_PROBE_EVERY the budget counts the waits until the next probe.
static inline uint32_t ring_spins(uint32_t budget) {
  if (budget >= RING_SPINS_PROBE_EVERY) return budget;
  return budget == 0 ? RING_SPINS_PROBE : 0;
}

// The budget after polling found something, or nothing.
static inline uint32_t ring_spins_paid(uint32_t spins) {
  uint32_t budget = spins * 2 < RING_SPINS_MOST ? spins * 2 : RING_SPINS_MOST;
  return budget < RING_SPINS_FIRST ? RING_SPINS_FIRST : budget;
}
static inline uint32_t ring_spins_lost(uint32_t budget) {
  if (budget < RING_SPINS_PROBE_EVERY) return budget == 0 ? RING_SPINS_PROBE_EVERY - 1 : budget - 1;
  return budget / 2 < RING_SPINS_PROBE_EVERY ? RING_SPINS_PROBE_EVERY - 1 : budget / 2;
}

#endif
