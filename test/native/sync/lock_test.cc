// Lock and RLock: who has it, who gets it next, and what becomes of it when its holder dies, stops, forks or
// closes.
#include <sys/mman.h>

#include <algorithm>

#include "support.h"

TEST(Lock, IsHeldByOneHandleAtATime) {
  Sync lock(IPCKIT_KIND_LOCK);
  Guest guest(lock.name());
  EXPECT_EQ(acquire(lock, 0), 0);
  EXPECT_EQ(acquire(guest, 0), -EAGAIN);
  EXPECT_EQ(acquire(lock, 0), -EAGAIN) << "it is no RLock";
  EXPECT_EQ(acquire(guest, 20 * kMillisecond), -ETIMEDOUT);
  EXPECT_EQ(ipckit_sync_holds(lock, 0), 1);
  EXPECT_EQ(ipckit_sync_holds(guest, 0), 0);
  EXPECT_EQ(release(lock), 0);
  EXPECT_EQ(acquire(guest, 0), 0);
  EXPECT_EQ(release(guest), 0);
  EXPECT_EQ(ipckit_sync_verify(lock), 0);
}

TEST(Lock, AReleaseOfWhatIsNotHeldIsRefusedAndChangesNothing) {
  Sync lock(IPCKIT_KIND_LOCK);
  Guest guest(lock.name());
  EXPECT_EQ(release(lock), IPCKIT_E_NOT_HELD) << "nobody holds it";
  EXPECT_EQ(acquire(lock, 0), 0);
  EXPECT_EQ(release(guest), IPCKIT_E_NOT_HELD) << "another handle holds it";
  Child child([&] { return release(open_in_child(lock.name())) == IPCKIT_E_NOT_HELD ? 0 : 1; });
  EXPECT_EQ(child.join(), 0) << "another process";
  EXPECT_EQ(acquire(guest, 0), -EAGAIN) << "it is still held";
  EXPECT_EQ(release(lock, 2), IPCKIT_E_NOT_HELD) << "more often than it is held";
  EXPECT_EQ(release(lock), 0);
  EXPECT_EQ(release(lock), IPCKIT_E_NOT_HELD) << "twice";
}

TEST(Lock, OperationsOfOtherKindsAreRefused) {
  Sync lock(IPCKIT_KIND_LOCK);
  for (uint32_t operation :
       {0U, IPCKIT_ACQUIRE_SHARED, IPCKIT_WAIT_EVENT, IPCKIT_WAIT_CONDITION, IPCKIT_WAIT_BARRIER, 99U}) {
    EXPECT_EQ(wait_for(lock, operation, 0), -EINVAL) << operation;
    ipckit_wait_t wait = a_wait(operation);
    EXPECT_EQ(ipckit_sync_begin(lock, &wait), -EINVAL);
    EXPECT_EQ(ipckit_sync_try(lock, &wait), -EINVAL);
    EXPECT_EQ(ipckit_sync_cancel(lock, &wait), -EINVAL);
  }
  EXPECT_EQ(ipckit_sync_release_shared(lock), -EINVAL);
  EXPECT_EQ(ipckit_event_set(lock), -EINVAL);
  EXPECT_EQ(ipckit_event_clear(lock), -EINVAL);
  EXPECT_EQ(ipckit_event_is_set(lock), -EINVAL);
  EXPECT_EQ(ipckit_condition_notify(lock, 1), -EINVAL);
  EXPECT_EQ(ipckit_condition_wait(lock, 0, 0, nullptr), -EINVAL);
  EXPECT_EQ(ipckit_barrier_abort(lock), -EINVAL);
  EXPECT_EQ(ipckit_barrier_reset(lock), -EINVAL);
  EXPECT_EQ(ipckit_value_bytes(lock, nullptr), nullptr);
  EXPECT_EQ(acquire(lock, -1), -EINVAL);
}

TEST(Lock, AnAcquireWaitsForTheReleaseOfAnotherProcess) {
  Sync lock(IPCKIT_KIND_LOCK);
  EXPECT_EQ(acquire(lock, 0), 0);
  Child child([&] {
    ipckit_sync_t* mine = open_in_child(lock.name());
    return acquire(mine) + release(mine);
  });
  await_waiters(lock, 1);
  EXPECT_EQ(release(lock), 0);
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(stat_of(lock).waiters, 0U);
}

TEST(Lock, StatTellsOfTheHolderAndWhoWaits) {
  Sync lock(IPCKIT_KIND_LOCK);
  EXPECT_EQ(stat_of(lock).holder_slot, IPCKIT_LAYOUT_NONE);
  Resident child([&] { acquire(open_in_child(lock.name())); });
  std::thread waiter([&] {
    Guest guest(lock.name());
    EXPECT_EQ(acquire(guest, 100 * kMillisecond), -ETIMEDOUT);
  });
  await_waiters(lock, 1);
  const ipckit_sync_stat_t stat = stat_of(lock);
  EXPECT_EQ(stat.kind, IPCKIT_KIND_LOCK);
  EXPECT_EQ(stat.held, 1U);
  EXPECT_EQ(stat.holder_pid, static_cast<uint32_t>(child.pid()));
  EXPECT_GT(stat.held_since, stat.created - kSecond);
  ipckit_participant_t people[4];
  ASSERT_EQ(ipckit_sync_participants(lock, people, 4), 3);
  EXPECT_EQ(people[0].self, 1U);
  EXPECT_EQ(people[1].leases, 1U);
  EXPECT_STREQ(people[1].name, "child");
  EXPECT_EQ(people[2].roles, IPCKIT_ROLE_WAITER);
  ipckit_sync_stat_t looked;
  ASSERT_EQ(ipckit_sync_look(lock.name().c_str(), nullptr, &looked), 0);
  EXPECT_EQ(looked.holder_pid, stat.holder_pid);
  EXPECT_EQ(looked.id[0], stat.id[0]);
  EXPECT_EQ(looked.participants, 3U) << "and nobody attached for it";
  waiter.join();
}

TEST(Lock, TheNextHolderIsToldOfADeathOnce) {
  Sync lock(IPCKIT_KIND_LOCK);
  Resident child([&] { acquire(open_in_child(lock.name())); });
  const auto pid = static_cast<uint32_t>(child.pid());
  ipckit_wait_t wait = a_wait(IPCKIT_ACQUIRE);
  std::thread waiter([&] { EXPECT_EQ(ipckit_sync_wait(lock, &wait, kPatience), 0); });
  await_waiters(lock, 1);
  expect_soon_after_death(child, "a waiter has the lock", [&] { waiter.join(); });
  EXPECT_EQ(wait.owner_died, 1U);
  EXPECT_EQ(wait.dead_pid, pid);
  EXPECT_STREQ(wait.dead_name, "child");
  EXPECT_EQ(stat_of(lock).owner_died, 0U);
  EXPECT_EQ(release(lock), 0);
  EXPECT_EQ(acquire_from_dead(lock), 0U) << "told once";
  EXPECT_EQ(release(lock), 0);
  EXPECT_EQ(ipckit_sync_verify(lock), 0);
}

TEST(Lock, ADeathThatASweepFoundIsRememberedForTheNextHolder) {
  Sync lock(IPCKIT_KIND_LOCK);
  const uint32_t pid = child_dies_after([&] { acquire(open_in_child(lock.name())); });
  EXPECT_EQ(ipckit_sync_sweep(lock), 1);
  EXPECT_EQ(ipckit_sync_sweep(lock), 0);
  EXPECT_EQ(stat_of(lock).owner_died, 1U);
  EXPECT_EQ(stat_of(lock).holder_slot, IPCKIT_LAYOUT_NONE);
  Guest guest(lock.name());
  EXPECT_EQ(acquire_from_dead(guest), pid);
  EXPECT_EQ(release(guest), 0);
}

TEST(Lock, ATryFindsADeadHolderByItself) {
  Sync lock(IPCKIT_KIND_LOCK);
  child_dies_after([&] { acquire(open_in_child(lock.name())); });
  EXPECT_NE(acquire_from_dead(lock, IPCKIT_ACQUIRE, 0), 0U);
}

TEST(Lock, WhoDiesAfterBeingToldIsToldOfToTheNext) {
  Sync lock(IPCKIT_KIND_LOCK);
  uint32_t last = 0;
  for (int i = 0; i < 3; i++) last = child_dies_after([&] { acquire(open_in_child(lock.name())); });
  EXPECT_EQ(acquire_from_dead(lock), last);
}

TEST(Lock, ADeathThatHeldNothingIsNobodysBusiness) {
  Sync lock(IPCKIT_KIND_LOCK);
  child_dies_after([&] {
    ipckit_sync_t* mine = open_in_child(lock.name());
    acquire(mine);
    release(mine);
  });
  EXPECT_EQ(acquire_from_dead(lock), 0U);
}

TEST(Lock, AWakeUpThatADyingWaiterSwallowedReachesAnother) {
  for (int round = 0; round < 5; round++) {
    Sync lock(IPCKIT_KIND_LOCK);
    ASSERT_EQ(acquire(lock), 0);
    auto waiter = [&] {
      ipckit_sync_t* mine = open_in_child(lock.name());
      return acquire(mine) + release(mine);
    };
    Child first(waiter);
    await_waiters(lock, 1);
    usleep(20000);
    Child second(waiter);
    await_waiters(lock, 2);
    usleep(20000);
    first.stop();  // it cannot take what it is woken for
    EXPECT_EQ(release(lock), 0);
    expect_soon_after_death(first, "another waiter has the lock", [&] { EXPECT_EQ(second.join(), 0); });
  }
}

TEST(Lock, ADeadOwnersSlotIsTakenOverWithItsNews) {
  ipckit_sync_options_t options = {};
  options.participants = 2;
  Sync lock(IPCKIT_KIND_LOCK, 0, options);
  const uint32_t pid = child_dies_after([&] { acquire(open_in_child(lock.name())); });
  Guest guest(lock.name());
  EXPECT_EQ(acquire_from_dead(guest), pid);
  ipckit_sync_t* third = nullptr;
  EXPECT_EQ(ipckit_sync_open(lock.name().c_str(), nullptr, nullptr, &third), IPCKIT_E_PARTICIPANTS);
}

TEST(Lock, ClosingReleasesItAndIsNoDeath) {
  Sync lock(IPCKIT_KIND_LOCK);
  Guest guest(lock.name());
  ASSERT_EQ(acquire(guest), 0);
  std::thread waiter([&] { EXPECT_EQ(acquire_from_dead(lock), 0U); });
  await_waiters(lock, 1);
  guest.close();
  waiter.join();
}

TEST(Lock, AbandoningIsADeathOfAProcessThatLivesOn) {
  Sync lock(IPCKIT_KIND_LOCK);
  ipckit_sync_t* other = nullptr;
  ASSERT_EQ(ipckit_sync_open(lock.name().c_str(), nullptr, nullptr, &other), 0);
  ASSERT_EQ(acquire(other), 0);
  EXPECT_EQ(ipckit_sync_abandon(other), 0);
  EXPECT_EQ(acquire_from_dead(lock), static_cast<uint32_t>(getpid()));
  EXPECT_EQ(stat_of(lock).participants, 1U);
}

TEST(Lock, AStoppedHolderKeepsIt) {
  Sync lock(IPCKIT_KIND_LOCK);
  Resident child([&] { acquire(open_in_child(lock.name())); });
  child.stop();
  EXPECT_EQ(acquire(lock, 400 * kMillisecond), -ETIMEDOUT);
  EXPECT_EQ(ipckit_sync_sweep(lock), 0);
  child.signal(SIGKILL);
  EXPECT_NE(acquire_from_dead(lock), 0U);
}

TEST(Lock, AStoppedWaiterHoldsUpNobody) {
  Sync lock(IPCKIT_KIND_LOCK);
  ASSERT_EQ(acquire(lock), 0);
  Child child([&] { return acquire(open_in_child(lock.name())); });
  await_waiters(lock, 1);
  usleep(20000);
  child.stop();
  EXPECT_EQ(release(lock), 0);
  for (int i = 0; i < 1000; i++) {
    ASSERT_EQ(acquire(lock), 0);
    ASSERT_EQ(release(lock), 0);
  }
}

TEST(Lock, AForkedChildIsRefusedAndItsParentKeepsTheLock) {
  Sync lock(IPCKIT_KIND_LOCK);
  ipckit_sync_t* handle = lock;
  ASSERT_EQ(acquire(lock), 0);
  Child child([&] {
    ipckit_sync_stat_t stat;
    if (acquire(handle, 0) != IPCKIT_E_FORKED) return 1;
    if (release(handle) != IPCKIT_E_FORKED) return 2;
    if (ipckit_sync_stat(handle, &stat) != IPCKIT_E_FORKED) return 3;
    if (ipckit_sync_sweep(handle) != IPCKIT_E_FORKED) return 4;
    return ipckit_sync_close(handle) == 0 ? 0 : 5;
  });
  EXPECT_EQ(child.join(), 0);
  Guest guest(lock.name());
  EXPECT_EQ(acquire(guest, 0), -EAGAIN) << "closing in the child released nothing";
  EXPECT_EQ(release(lock), 0);
}

TEST(Lock, TheDeathOfAParentIsSeenWhileItsChildLives) {
  Sync lock(IPCKIT_KIND_LOCK);
  Resident parent([&] {
    acquire(open_in_child(lock.name()));
    if (fork() == 0) {
      sleep(2);
      _exit(0);
    }
  });
  parent.signal(SIGKILL);
  EXPECT_NE(acquire_from_dead(lock, IPCKIT_ACQUIRE, kSecond), 0U);
}

TEST(Lock, EqualPidsInTwoNamespacesAreDifferentOwners) {
  if (geteuid() != 0) GTEST_SKIP() << "only root makes PID namespaces";
  Sync lock(IPCKIT_KIND_RLOCK);
  Signpost there;
  // Each is process 1 of its namespace, as two containers of a pod are.
  auto in_namespace = [&](int64_t timeout, int expected) {
    return stay_in_namespace([&] {
      if (acquire(open_in_child(lock.name()), timeout) != expected) _exit(1);
      there.reached();
    });
  };
  Child first([&] { return in_namespace(kPatience, 0); });
  there.await();
  Child second([&] { return in_namespace(50 * kMillisecond, -ETIMEDOUT); });
  there.await();
  first.signal(SIGTERM);
  EXPECT_EQ(first.join(), 0);
  EXPECT_EQ(acquire_from_dead(lock), 1U);
  second.signal(SIGTERM);
  EXPECT_EQ(second.join(), 0);
}

TEST(Lock, AWaitInStepsTakesCancelsAndPassesOn) {
  Sync lock(IPCKIT_KIND_LOCK);
  Guest guest(lock.name());
  ipckit_wait_t wait = a_wait(IPCKIT_ACQUIRE);
  ipckit_wait_word_t word;
  int64_t bound = 0;
  ASSERT_EQ(acquire(lock), 0);
  ASSERT_EQ(ipckit_sync_begin(guest, &wait), -EAGAIN);
  EXPECT_EQ(ipckit_sync_try(guest, &wait), -EAGAIN);
  ASSERT_EQ(ipckit_sync_arm(guest, &wait, &word, &bound), 1);
  EXPECT_EQ(*word.address, word.expected);
  EXPECT_GT(bound, 0);
  EXPECT_LE(bound, 100 * kMillisecond);
  EXPECT_EQ(release(lock), 0);
  EXPECT_NE(*word.address, word.expected);
  EXPECT_EQ(ipckit_sync_arm(guest, &wait, &word, &bound), 0) << "try now";
  EXPECT_EQ(ipckit_sync_disarm(guest, &wait), 0);
  EXPECT_EQ(ipckit_sync_try(guest, &wait), 0);
  wait = a_wait(IPCKIT_ACQUIRE);
  ASSERT_EQ(ipckit_sync_begin(lock, &wait), -EAGAIN);
  EXPECT_EQ(stat_of(lock).waiters, 1U);
  EXPECT_EQ(ipckit_sync_cancel(lock, &wait), 0);
  EXPECT_EQ(stat_of(lock).waiters, 0U);
}

TEST(Lock, ASignalHandlerEndsAWait) {
  Sync lock(IPCKIT_KIND_LOCK);
  ASSERT_EQ(acquire(lock), 0);
  Child child([&] {
    struct sigaction quiet = {};
    quiet.sa_handler = [](int) {};
    sigaction(SIGALRM, &quiet, nullptr);
    ipckit_sync_t* mine = open_in_child(lock.name());
    // Again and again: one that comes between two sleeps ends none of them.
    ualarm(20000, 1000);
    return acquire(mine) == -EINTR && stat_of(mine).waiters == 0 ? 0 : 1;
  });
  EXPECT_EQ(child.join(), 0);
}

static void work(double seconds) {
  Stopwatch watch;
  while (watch.seconds() < seconds) {
  }
}

/// What the processes of a contest share.
struct Contest {
  std::atomic<int> ready;
  std::atomic<bool> go;
  int64_t counter;  // guarded by the lock alone
  double finished[64];
  double worst[64];
};

static void contest(int processes, int times) {
  Sync lock(IPCKIT_KIND_LOCK);
  auto* shared = static_cast<Contest*>(
      mmap(nullptr, sizeof(Contest), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(shared, MAP_FAILED);
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < processes; i++) {
    children.push_back(std::make_unique<Child>([&, i] {
      ipckit_sync_t* mine = open_in_child(lock.name());
      shared->ready++;
      while (!shared->go) usleep(1000);
      Stopwatch all;
      for (int n = 0; n < times; n++) {
        Stopwatch one;
        if (acquire(mine, IPCKIT_FOREVER) != 0) return 1;
        shared->worst[i] = std::max(shared->worst[i], one.seconds());
        shared->counter++;
        work(2e-6);
        if (release(mine) != 0) return 2;
      }
      shared->finished[i] = all.seconds();
      return 0;
    }));
  }
  while (shared->ready < processes) usleep(1000);
  Stopwatch all;
  shared->go = true;
  for (auto& child : children) EXPECT_EQ(child->join(), 0);
  const double took = all.seconds();
  EXPECT_EQ(shared->counter, static_cast<int64_t>(processes) * times);
  const auto [first, last] = std::minmax_element(shared->finished, shared->finished + processes);
  const double worst = *std::max_element(shared->worst, shared->worst + processes);
  printf("%d processes with %d acquisitions each: %.0f/s; done after %.1f to %.1f ms; longest wait %.1f ms\n",
         processes, times, processes * times / took, *first * 1000, *last * 1000, worst * 1000);
  EXPECT_LT(worst, 10) << "nobody starves";
  munmap(shared, sizeof *shared);
}

TEST(Lock, SixteenContendersWithAThousandAcquisitionsEachAllGetTheirs) { contest(16, 1000); }
TEST(Lock, TwoContendersForLongerCountRight) { contest(2, 20000); }

TEST(Lock, AWaiterIsNotOvertakenForLong) {
  Sync lock(IPCKIT_KIND_LOCK);
  std::atomic<bool> over{false};
  std::atomic<int> turns{0};
  // Somebody who never sleeps and takes it again as soon as he let go.
  std::thread greedy([&] {
    Guest guest(lock.name());
    while (!over) {
      acquire(guest);
      work(20e-6);
      release(guest);
      turns++;
    }
  });
  while (turns == 0) usleep(1000);
  double worst = 0;
  for (int i = 0; i < 200; i++) {
    Stopwatch watch;
    ASSERT_EQ(acquire(lock), 0);
    worst = std::max(worst, watch.seconds());
    ASSERT_EQ(release(lock), 0);
  }
  over = true;
  greedy.join();
  printf("longest wait against somebody greedy: %.2f ms\n", worst * 1000);
  EXPECT_LT(worst, 2);
}

TEST(RLock, IsAcquiredAgainByItsAgentAndByNobodyElse) {
  Sync lock(IPCKIT_KIND_RLOCK);
  Guest guest(lock.name());
  for (int i = 0; i < 3; i++) EXPECT_EQ(acquire(lock, 0, 0, 7), 0);
  EXPECT_EQ(ipckit_sync_holds(lock, 7), 3);
  EXPECT_EQ(ipckit_sync_holds(lock, 8), 0);
  EXPECT_EQ(stat_of(guest).held, 3U);
  EXPECT_EQ(acquire(lock, 0, 0, 8), -EAGAIN) << "another agent of the same handle";
  EXPECT_EQ(acquire(guest, 0, 0, 7), -EAGAIN) << "an equal number in another handle";
  EXPECT_EQ(release(lock, 0, 8), IPCKIT_E_NOT_HELD);
  EXPECT_EQ(release(guest, 0, 7), IPCKIT_E_NOT_HELD);
  for (int i = 0; i < 3; i++) EXPECT_EQ(release(lock, 0, 7), 0);
  EXPECT_EQ(release(lock, 0, 7), IPCKIT_E_NOT_HELD) << "the fourth";
  EXPECT_EQ(acquire(guest, 0, 0, 7), 0);
}

TEST(RLock, LevelsAreTakenAndGivenBackAtOnce) {
  Sync lock(IPCKIT_KIND_RLOCK);
  EXPECT_EQ(acquire(lock, 0, 3), 0);
  EXPECT_EQ(acquire(lock, 0, 2), 0);
  EXPECT_EQ(release(lock, 6), IPCKIT_E_NOT_HELD);
  EXPECT_EQ(ipckit_sync_holds(lock, 0), 5) << "a refused release changes nothing";
  EXPECT_EQ(acquire(lock, 0, UINT32_MAX), -EOVERFLOW);
  EXPECT_EQ(release(lock, 5), 0);
  EXPECT_EQ(ipckit_sync_holds(lock, 0), 0);
}

TEST(RLock, TwoThreadsOfOneHandleKeepEachOtherOut) {
  Sync lock(IPCKIT_KIND_RLOCK);
  int64_t counter = 0;
  auto work = [&](uint64_t agent) {
    for (int i = 0; i < 3000; i++) {
      ASSERT_EQ(acquire(lock, kPatience, 0, agent), 0);
      ASSERT_EQ(acquire(lock, kPatience, 0, agent), 0);
      counter++;
      ASSERT_EQ(release(lock, 0, agent), 0);
      ASSERT_EQ(release(lock, 0, agent), 0);
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t agent = 1; agent <= 4; agent++) threads.emplace_back(work, agent);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counter, 12000);
}

TEST(RLock, ADeathReleasesEveryLevel) {
  Sync lock(IPCKIT_KIND_RLOCK);
  child_dies_after([&] { acquire(open_in_child(lock.name()), 0, 3); });
  EXPECT_NE(acquire_from_dead(lock), 0U);
  EXPECT_EQ(ipckit_sync_holds(lock, 0), 1);
}
