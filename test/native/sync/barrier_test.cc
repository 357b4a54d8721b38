// Barriers: who passes with whom, whose action it is, and what breaks them.
#include <set>

#include "support.h"

/// Waits, and does the action when it is its turn. The index, or negative.
static int pass(ipckit_sync_t* barrier, int64_t timeout = kPatience, int* actions = nullptr) {
  ipckit_wait_t wait = a_wait(IPCKIT_WAIT_BARRIER);
  int result = ipckit_sync_wait(barrier, &wait, timeout);
  if (result == IPCKIT_BARRIER_ACTION) {
    if (actions) ++*actions;
    result = ipckit_barrier_action_done(barrier, &wait);
  }
  return result < 0 ? result : static_cast<int>(wait.index);
}

TEST(Barrier, PartiesPassTogetherAndEachHasAnIndex) {
  Sync barrier(IPCKIT_KIND_BARRIER, 4);
  for (int round = 0; round < 10; round++) {
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 3; i++) {
      children.push_back(std::make_unique<Child>([&] {
        ipckit_sync_t* mine = open_in_child(barrier.name());
        const int index = pass(mine);
        ipckit_sync_close(mine);
        return index < 0 ? 99 : index;
      }));
    }
    await_waiters(barrier, 3);
    EXPECT_EQ(stat_of(barrier).value, 3U);
    EXPECT_EQ(stat_of(barrier).limit, 4U);
    int actions = 0;
    std::set<int> indices{pass(barrier, kPatience, &actions)};
    EXPECT_EQ(actions, 1) << "the last to come";
    for (auto& child : children) indices.insert(child->join());
    EXPECT_EQ(indices, (std::set<int>{0, 1, 2, 3}));
    EXPECT_EQ(stat_of(barrier).value, 0U);
    EXPECT_EQ(ipckit_sync_verify(barrier), 0);
  }
}

TEST(Barrier, OneOfOnePartyPassesAtOnce) {
  Sync barrier(IPCKIT_KIND_BARRIER, 1);
  for (int i = 0; i < 10; i++) EXPECT_EQ(pass(barrier, 0), 0);
}

TEST(Barrier, ManyRoundsStayInStep) {
  constexpr int kParties = 5, kRounds = 1000;
  Sync barrier(IPCKIT_KIND_BARRIER, kParties);
  std::atomic<int> rounds[kParties] = {};
  std::atomic<int> actions{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kParties; i++) {
    threads.emplace_back([&, i] {
      Guest guest(barrier.name());
      for (int round = 0; round < kRounds; round++) {
        rounds[i] = round;
        int mine = 0;
        ASSERT_GE(pass(guest, kPatience, &mine), 0);
        actions += mine;
        for (auto& other : rounds) ASSERT_GE(other.load(), round);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(actions, kRounds);
}

TEST(Barrier, MoreWaitersThanPartiesFormFurtherRounds) {
  Sync barrier(IPCKIT_KIND_BARRIER, 2);
  ipckit_wait_t waits[5];
  for (auto& wait : waits) wait = a_wait(IPCKIT_WAIT_BARRIER);
  EXPECT_EQ(ipckit_sync_begin(barrier, &waits[0]), -EAGAIN);
  EXPECT_EQ(ipckit_sync_begin(barrier, &waits[1]), IPCKIT_BARRIER_ACTION);
  // The action of the first round goes on; these are of the next two.
  EXPECT_EQ(ipckit_sync_begin(barrier, &waits[2]), -EAGAIN);
  EXPECT_EQ(ipckit_sync_begin(barrier, &waits[3]), -EAGAIN);
  EXPECT_EQ(ipckit_sync_begin(barrier, &waits[4]), -EAGAIN);
  EXPECT_EQ(ipckit_sync_try(barrier, &waits[0]), -EAGAIN) << "not before the action is done";
  EXPECT_EQ(ipckit_barrier_action_done(barrier, &waits[1]), 0);
  EXPECT_EQ(ipckit_barrier_action_done(barrier, &waits[1]), -EINVAL) << "twice";
  EXPECT_EQ(ipckit_sync_try(barrier, &waits[0]), 0);
  EXPECT_EQ(ipckit_sync_try(barrier, &waits[2]), -EAGAIN);
  EXPECT_EQ(ipckit_sync_try(barrier, &waits[3]), IPCKIT_BARRIER_ACTION);
  EXPECT_EQ(ipckit_barrier_action_done(barrier, &waits[3]), 0);
  EXPECT_EQ(ipckit_sync_try(barrier, &waits[2]), 0);
  EXPECT_EQ(ipckit_sync_try(barrier, &waits[4]), -EAGAIN);
  EXPECT_EQ(ipckit_sync_cancel(barrier, &waits[4]), 0);
  EXPECT_EQ(stat_of(barrier).broken, 1U);
}

TEST(Barrier, AnAbortBreaksItForAllAndAResetMendsIt) {
  Sync barrier(IPCKIT_KIND_BARRIER, 3);
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 2; i++) {
    children.push_back(std::make_unique<Child>([&] {
      ipckit_sync_t* mine = open_in_child(barrier.name());
      if (pass(mine) != IPCKIT_E_BROKEN) return 1;
      if (pass(mine) != IPCKIT_E_BROKEN) return 2;
      ipckit_sync_close(mine);
      return 0;
    }));
  }
  await_waiters(barrier, 2);
  EXPECT_EQ(ipckit_barrier_abort(barrier), 0);
  EXPECT_EQ(stat_of(barrier).broken, 1U);
  EXPECT_EQ(pass(barrier), IPCKIT_E_BROKEN);
  for (auto& child : children) EXPECT_EQ(child->join(), 0);
  EXPECT_EQ(ipckit_barrier_reset(barrier), 0);
  EXPECT_EQ(stat_of(barrier).broken, 0U);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; i++) {
    threads.emplace_back([&] {
      Guest guest(barrier.name());
      EXPECT_GE(pass(guest), 0);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ipckit_sync_verify(barrier), 0);
}

TEST(Barrier, AResetFreesWhoWaits) {
  Sync barrier(IPCKIT_KIND_BARRIER, 2);
  Child child([&] { return pass(open_in_child(barrier.name())) == IPCKIT_E_BROKEN ? 0 : 1; });
  await_waiters(barrier, 1);
  EXPECT_EQ(ipckit_barrier_reset(barrier), 0);
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(stat_of(barrier).broken, 0U);
}

TEST(Barrier, ATimeoutBreaksIt) {
  Sync barrier(IPCKIT_KIND_BARRIER, 3);
  Child child([&] { return pass(open_in_child(barrier.name())) == IPCKIT_E_BROKEN ? 0 : 1; });
  await_waiters(barrier, 1);
  EXPECT_EQ(pass(barrier, 20 * kMillisecond), -ETIMEDOUT);
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(stat_of(barrier).broken, 1U);
  EXPECT_EQ(ipckit_barrier_reset(barrier), 0);
  EXPECT_EQ(pass(barrier, 0), -EAGAIN);
  EXPECT_EQ(stat_of(barrier).broken, 1U) << "one who does not wait breaks it as well";
}

TEST(Barrier, TheDeathOfAPartyBreaksItWhereverItIs) {
  for (int where = 0; where < 3; where++) {
    Sync barrier(IPCKIT_KIND_BARRIER, 3);
    Signpost there;
    Child party([&] {
      ipckit_sync_t* mine = open_in_child(barrier.name());
      ipckit_wait_t wait = a_wait(IPCKIT_WAIT_BARRIER);
      if (where == 0) there.reached();  // outside of it
      if (where == 2) await_waiters(mine, 2);
      if (where >= 1) ipckit_sync_begin(mine, &wait);  // inside, or in its action
      if (where >= 1) there.reached();
      pause();
      return 0;
    });
    std::vector<std::thread> others;
    for (int i = 0; i < (where == 2 ? 2 : 1); i++) {
      others.emplace_back([&] {
        Guest guest(barrier.name());
        EXPECT_EQ(pass(guest), IPCKIT_E_BROKEN);
      });
    }
    there.await();
    await_waiters(barrier, where == 0 ? 1 : where == 1 ? 2 : 3);
    const char* places[] = {"a party outside", "a party inside", "a party in its action"};
    expect_soon_after_death(party, places[where], [&] {
      for (auto& other : others) other.join();
    });
    EXPECT_EQ(stat_of(barrier).broken, 1U);
    EXPECT_EQ(ipckit_barrier_reset(barrier), 0);
    EXPECT_EQ(stat_of(barrier).waiters, 0U);
    EXPECT_EQ(ipckit_sync_verify(barrier), 0);
  }
}

TEST(Barrier, NobodyPassesWithAPartyThatDiedWhileItWaited) {
  for (const bool in_action : {false, true}) {
    Sync barrier(IPCKIT_KIND_BARRIER, 2);
    Child party([&] { return pass(open_in_child(barrier.name())); });
    await_waiters(barrier, 1);
    ipckit_wait_t last = a_wait(IPCKIT_WAIT_BARRIER);
    if (in_action) {
      ASSERT_EQ(ipckit_sync_begin(barrier, &last), IPCKIT_BARRIER_ACTION);
    }
    party.signal(SIGKILL);
    party.join();
    // Before anybody looked for the dead.
    if (in_action) {
      EXPECT_EQ(ipckit_barrier_action_done(barrier, &last), IPCKIT_E_BROKEN);
    } else {
      EXPECT_EQ(pass(barrier), IPCKIT_E_BROKEN);
    }
    EXPECT_EQ(stat_of(barrier).broken, 1U);
    EXPECT_EQ(stat_of(barrier).waiters, 0U);
    EXPECT_EQ(ipckit_sync_verify(barrier), 0);
  }
}

TEST(Barrier, TheDeathOfAnObserverAndAPeacefulCloseBreakNothing) {
  Sync barrier(IPCKIT_KIND_BARRIER, 2);
  Child observer([&] {
    Guest guest(barrier.name(), IPCKIT_SYNC_OBSERVER);
    raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(observer.join(), 128 + SIGKILL);
  EXPECT_EQ(ipckit_sync_sweep(barrier), 1);
  { Guest guest(barrier.name()); }
  EXPECT_EQ(stat_of(barrier).broken, 0U);
}

TEST(Barrier, ClosingWhileOneWaitsBreaksIt) {
  Sync barrier(IPCKIT_KIND_BARRIER, 3);
  Guest guest(barrier.name());
  ipckit_wait_t wait = a_wait(IPCKIT_WAIT_BARRIER);
  ASSERT_EQ(ipckit_sync_begin(guest, &wait), -EAGAIN);
  std::thread other([&] { EXPECT_EQ(pass(barrier), IPCKIT_E_BROKEN); });
  await_waiters(barrier, 2);
  guest.close();
  other.join();
}

TEST(Barrier, AnActionThatFailedBreaksIt) {
  Sync barrier(IPCKIT_KIND_BARRIER, 2);
  ipckit_wait_t first = a_wait(IPCKIT_WAIT_BARRIER), last = a_wait(IPCKIT_WAIT_BARRIER);
  ASSERT_EQ(ipckit_sync_begin(barrier, &first), -EAGAIN);
  ASSERT_EQ(ipckit_sync_begin(barrier, &last), IPCKIT_BARRIER_ACTION);
  EXPECT_EQ(ipckit_sync_cancel(barrier, &last), 0);
  EXPECT_EQ(ipckit_sync_try(barrier, &first), IPCKIT_E_BROKEN);
  EXPECT_EQ(ipckit_sync_verify(barrier), 0);
}

TEST(Barrier, AnActionThatIsDoneAfterAnAbortIsToldOfIt) {
  Sync barrier(IPCKIT_KIND_BARRIER, 1);
  ipckit_wait_t wait = a_wait(IPCKIT_WAIT_BARRIER);
  ASSERT_EQ(ipckit_sync_begin(barrier, &wait), IPCKIT_BARRIER_ACTION);
  EXPECT_EQ(ipckit_barrier_abort(barrier), 0);
  EXPECT_EQ(ipckit_barrier_action_done(barrier, &wait), IPCKIT_E_BROKEN);
}
