// How long to poll before sleeping, learned by what polling brought. The budget is a number of the handle;
// races on it are harmless.
#ifndef IPCKIT_SHARED_SPIN_H
#define IPCKIT_SHARED_SPIN_H

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

// A sleep costs 5 to 60 us, a pause some 20 ns: polling for 20 to 80 us may win. bench/ring, 2026-11-21.
#define RING_SPINS_LEAST 64U
#define RING_SPINS_FIRST 1000U
#define RING_SPINS_MOST 4000U
// Polling that never pays, as on a shared processor, dies out. Then so many waits pass until it is tried
// again, as long as it takes the other end to wake up: two that have given up can only find back if one polls
// while the other wakes.
#define RING_SPINS_PROBE_EVERY 1024U

// A budget is how often to look, or RING_SPINS_MOST and how many waits pass until the next probe.

// The budget of a new handle. Asks the kernel, which reads a file for it.
static inline uint32_t ring_spins_begin(void) {
  return sysconf(_SC_NPROCESSORS_ONLN) > 1 ? RING_SPINS_FIRST : RING_SPINS_MOST + RING_SPINS_PROBE_EVERY;
}

// How often to look this time.
static inline uint32_t ring_spins(uint32_t budget) {
  if (budget <= RING_SPINS_MOST) return budget;
  return budget == RING_SPINS_MOST + 1 ? RING_SPINS_MOST : 0;
}

// The budget after polling found something, or nothing.
static inline uint32_t ring_spins_paid(uint32_t spins) {
  const uint32_t budget = spins * 2 < RING_SPINS_MOST ? spins * 2 : RING_SPINS_MOST;
  return budget < RING_SPINS_FIRST ? RING_SPINS_FIRST : budget;
}
static inline uint32_t ring_spins_lost(uint32_t budget) {
  if (budget > RING_SPINS_MOST + 1) return budget - 1;
  const bool gone = budget > RING_SPINS_MOST || budget / 2 < RING_SPINS_LEAST;
  return gone ? RING_SPINS_MOST + RING_SPINS_PROBE_EVERY : budget / 2;
}

#endif
