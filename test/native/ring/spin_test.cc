// How long a waiter polls before it sleeps: a number that is learned.
#include <gtest/gtest.h>

#include <unistd.h>

extern "C" {
#include "shared/spin.h"
}

namespace {

TEST(Spins, PollingThatPaysIsKeptUpToTheMost) {
  uint32_t budget = RING_SPINS_FIRST;
  for (int turn = 0; turn < 10; turn++) budget = ring_spins_paid(ring_spins(budget));
  EXPECT_EQ(ring_spins(budget), RING_SPINS_MOST);
}

TEST(Spins, PollingInVainDiesOutAndIsTriedAgainAfterManyWaits) {
  uint32_t budget = RING_SPINS_MOST;
  int polls = 0;
  for (; ring_spins(budget) > 0; polls++) budget = ring_spins_lost(budget);
  EXPECT_LT(polls, 10);
  for (int round = 0; round < 3; round++) {
    uint32_t waits = 0;
    for (; ring_spins(budget) == 0; waits++) budget = ring_spins_lost(budget);
    EXPECT_GE(waits, RING_SPINS_PROBE_EVERY - 1);
    EXPECT_LE(waits, RING_SPINS_PROBE_EVERY);
    EXPECT_EQ(ring_spins(budget), RING_SPINS_MOST) << "as long as it takes the other end to wake up";
    budget = ring_spins_lost(budget);
    EXPECT_EQ(ring_spins(budget), 0U);
  }
}

TEST(Spins, AProbeThatPaysBringsPollingBack) {
  uint32_t budget = RING_SPINS_MOST;
  while (ring_spins(budget) > 0) budget = ring_spins_lost(budget);
  while (ring_spins(budget) == 0) budget = ring_spins_lost(budget);
  budget = ring_spins_paid(ring_spins(budget));
  EXPECT_GE(ring_spins(budget), RING_SPINS_FIRST);
}

TEST(Spins, ANewHandlePollsWhereThereAreSeveralProcessors) {
  EXPECT_EQ(ring_spins(ring_spins_begin()), sysconf(_SC_NPROCESSORS_ONLN) > 1 ? RING_SPINS_FIRST : 0U);
}

TEST(Spins, EveryNumberIsABudget) {
  for (uint32_t budget = 0; budget <= RING_SPINS_MOST + RING_SPINS_PROBE_EVERY; budget++) {
    EXPECT_LE(ring_spins(budget), RING_SPINS_MOST);
    EXPECT_LE(ring_spins_lost(budget), RING_SPINS_MOST + RING_SPINS_PROBE_EVERY);
    EXPECT_LE(ring_spins_paid(ring_spins(budget)), RING_SPINS_MOST);
  }
}

}  // namespace
