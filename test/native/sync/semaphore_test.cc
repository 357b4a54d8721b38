// Semaphores: how many get through, whose permits come back, and who is served first.
#include "support.h"

TEST(Semaphore, LetsAsManyThroughAsItsValueSays) {
  for (uint32_t value = 0; value <= 4; value++) {
    Sync semaphore(IPCKIT_KIND_SEMAPHORE, value);
    for (uint32_t i = 0; i < value; i++) EXPECT_EQ(acquire(semaphore, 0), 0);
    EXPECT_EQ(acquire(semaphore, 0), -EAGAIN);
    EXPECT_EQ(acquire(semaphore, 20 * kMillisecond), -ETIMEDOUT);
    EXPECT_EQ(ipckit_sync_holds(semaphore, 0), value);
    EXPECT_EQ(stat_of(semaphore).value, 0U);
    EXPECT_EQ(stat_of(semaphore).held, value);
    EXPECT_EQ(stat_of(semaphore).waiters, 0U);
    for (uint32_t i = 0; i < value; i++) EXPECT_EQ(release(semaphore), 0);
    EXPECT_EQ(stat_of(semaphore).value, value);
    EXPECT_EQ(ipckit_sync_verify(semaphore), 0);
  }
}

TEST(Semaphore, SeveralPermitsAreTakenAllOrNone) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 5);
  EXPECT_EQ(acquire(semaphore, 0, 3), 0);
  EXPECT_EQ(acquire(semaphore, 0, 3), -EAGAIN);
  EXPECT_EQ(stat_of(semaphore).value, 2U);
  EXPECT_EQ(acquire(semaphore, 0, 0x80000000U), -EINVAL) << "more than there can ever be";
  EXPECT_EQ(release(semaphore, 1), 0);
  EXPECT_EQ(acquire(semaphore, 0, 3), 0);
}

TEST(Semaphore, MayGrowUpToItsLimit) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 0);
  EXPECT_EQ(release(semaphore, 3), 0);
  EXPECT_EQ(stat_of(semaphore).value, 3U);
  EXPECT_EQ(release(semaphore, 0x7fffffff - 3), 0);
  EXPECT_EQ(release(semaphore), -EOVERFLOW);
  EXPECT_EQ(stat_of(semaphore).value, 0x7fffffffU);
  EXPECT_EQ(ipckit_sync_verify(semaphore), 0);
}

TEST(BoundedSemaphore, RefusesAReleaseAboveItsFirstValue) {
  Sync semaphore(IPCKIT_KIND_BOUNDED_SEMAPHORE, 2);
  Guest guest(semaphore.name());
  EXPECT_EQ(release(semaphore), IPCKIT_E_BOUND);
  EXPECT_EQ(acquire(semaphore, 0), 0);
  EXPECT_EQ(release(semaphore, 2), IPCKIT_E_BOUND);
  EXPECT_EQ(release(guest), 0) << "by another than who acquired";
  EXPECT_EQ(release(semaphore), IPCKIT_E_BOUND) << "and not by both";
  EXPECT_EQ(acquire(semaphore, 0, 3), -EINVAL);
  EXPECT_EQ(ipckit_sync_verify(semaphore), 0);
}

TEST(Semaphore, WhatAnotherAcquiredMayBeReleasedAndDoesNotComeBackTwice) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 0);
  Signpost got;
  Child consumer([&] {
    ipckit_sync_t* mine = open_in_child(semaphore.name());
    for (int i = 0; i < 1000; i++) {
      if (acquire(mine) != 0) return 1;
    }
    got.reached();
    pause();
    return 0;
  });
  // As a count of events: one process releases and another acquires, for ever.
  for (int i = 0; i < 1000; i++) {
    if (i % 100 == 0) {
      while (stat_of(semaphore).value > 0) usleep(100);
      await_waiters(semaphore, 1);  // it has acquired them all
    }
    ASSERT_EQ(release(semaphore), 0);
  }
  got.await();
  consumer.signal(SIGKILL);
  consumer.join();
  EXPECT_EQ(ipckit_sync_sweep(semaphore), 1);
  const uint32_t back = stat_of(semaphore).value;
  printf("%u of 1000 permits came back\n", back);
  EXPECT_LT(back, 1000U) << "it does not hold what was released since";
  EXPECT_EQ(ipckit_sync_verify(semaphore), 0);
}

TEST(Semaphore, PermitsOfTheDeadComeBackToAWaiter) {
  Sync semaphore(IPCKIT_KIND_BOUNDED_SEMAPHORE, 3);
  Resident child([&] { acquire(open_in_child(semaphore.name()), 0, 2); });
  EXPECT_EQ(acquire(semaphore, 0, 2), -EAGAIN);
  int result = 1;
  std::thread waiter([&] { result = acquire(semaphore, kPatience, 3); });
  await_waiters(semaphore, 1);
  expect_soon_after_death(child, "a waiter has the permits", [&] { waiter.join(); });
  EXPECT_EQ(result, 0);
  EXPECT_EQ(ipckit_sync_verify(semaphore), 0);
}

TEST(Semaphore, WhoOnlyTriesFindsThemToo) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 1);
  child_dies_after([&] { acquire(open_in_child(semaphore.name())); });
  while (acquire(semaphore, 0) != 0) usleep(5000);
}

TEST(Semaphore, ClosingGivesBackWhatTheHandleHolds) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 3);
  Guest guest(semaphore.name());
  ASSERT_EQ(acquire(guest, 0, 3), 0);
  std::thread waiter([&] { EXPECT_EQ(acquire(semaphore, kPatience, 3), 0); });
  await_waiters(semaphore, 1);
  guest.close();
  waiter.join();
  EXPECT_EQ(ipckit_sync_verify(semaphore), 0);
}

TEST(Semaphore, AStoppedHolderKeepsItsPermit) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 1);
  Resident child([&] { acquire(open_in_child(semaphore.name())); });
  child.stop();
  EXPECT_EQ(acquire(semaphore, 400 * kMillisecond), -ETIMEDOUT);
}

TEST(Semaphore, AStoppedWaiterHoldsUpNobodyForLong) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 1);
  ASSERT_EQ(acquire(semaphore), 0);
  Child child([&] { return acquire(open_in_child(semaphore.name())); });
  await_waiters(semaphore, 1);
  usleep(20000);
  child.stop();
  ASSERT_EQ(release(semaphore), 0);
  for (int i = 0; i < 1000; i++) {
    ASSERT_EQ(acquire(semaphore), 0);
    ASSERT_EQ(release(semaphore), 0);
  }
}

TEST(Semaphore, AWakeUpThatADyingWaiterSwallowedReachesAnother) {
  for (int round = 0; round < 5; round++) {
    Sync semaphore(IPCKIT_KIND_SEMAPHORE, 0);
    auto waiter = [&] { return acquire(open_in_child(semaphore.name())); };
    Child first(waiter);
    await_waiters(semaphore, 1);
    usleep(20000);
    Child second(waiter);
    await_waiters(semaphore, 2);
    first.stop();
    EXPECT_EQ(release(semaphore), 0);
    expect_soon_after_death(first, "another waiter has the permit", [&] { EXPECT_EQ(second.join(), 0); });
  }
}

TEST(Semaphore, WhoWantsManyIsNotStarvedByThoseWhoWantOne) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 4);
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&] {
      Guest guest(semaphore.name());
      while (!over) {
        if (acquire(guest) == 0) {
          std::this_thread::yield();
          release(guest);
        }
      }
    });
  }
  usleep(20000);
  for (int i = 0; i < 20; i++) {
    ASSERT_EQ(acquire(semaphore, kPatience, 4), 0);
    ASSERT_EQ(release(semaphore, 4), 0);
  }
  over = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(stat_of(semaphore).value, 4U);
  EXPECT_EQ(ipckit_sync_verify(semaphore), 0);
}

TEST(Semaphore, AFullRoomIsToldOfAndTriesGoOn) {
  ipckit_sync_options_t options = {};
  options.waiters = 1;
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 0, options);
  ipckit_wait_t first = a_wait(IPCKIT_ACQUIRE), second = a_wait(IPCKIT_ACQUIRE);
  ASSERT_EQ(ipckit_sync_begin(semaphore, &first), -EAGAIN);
  EXPECT_EQ(ipckit_sync_begin(semaphore, &second), IPCKIT_E_WAITERS);
  EXPECT_EQ(acquire(semaphore, 0), -EAGAIN);
  EXPECT_EQ(ipckit_sync_cancel(semaphore, &first), 0);
  EXPECT_EQ(ipckit_sync_cancel(semaphore, &first), 0) << "there is none any more";
  EXPECT_EQ(ipckit_sync_sleep(semaphore, &first, 0), -EINVAL);
  ASSERT_EQ(ipckit_sync_begin(semaphore, &second), -EAGAIN);
  EXPECT_EQ(release(semaphore), 0);
  EXPECT_EQ(ipckit_sync_try(semaphore, &second), 0);
}

TEST(Semaphore, ACancelPassesItsWakeUpOn) {
  Sync semaphore(IPCKIT_KIND_SEMAPHORE, 0);
  ipckit_wait_t first = a_wait(IPCKIT_ACQUIRE), second = a_wait(IPCKIT_ACQUIRE);
  ipckit_wait_word_t word;
  int64_t bound;
  ASSERT_EQ(ipckit_sync_begin(semaphore, &first), -EAGAIN);
  ASSERT_EQ(ipckit_sync_begin(semaphore, &second), -EAGAIN);
  ASSERT_EQ(ipckit_sync_arm(semaphore, &first, &word, &bound), 1);
  EXPECT_EQ(release(semaphore), 0);
  EXPECT_EQ(ipckit_sync_arm(semaphore, &first, &word, &bound), 0) << "the oldest is woken";
  ASSERT_EQ(ipckit_sync_arm(semaphore, &second, &word, &bound), 1);
  EXPECT_EQ(ipckit_sync_cancel(semaphore, &first), 0);
  EXPECT_EQ(ipckit_sync_arm(semaphore, &second, &word, &bound), 0);
  EXPECT_EQ(ipckit_sync_try(semaphore, &second), 0);
}
