// Conditions: who is woken by a notice, and what becomes of one whose receiver died.
#include "support.h"

static int wait_in_child(const std::string& name, int64_t timeout = kPatience) {
  ipckit_sync_t* mine = open_in_child(name);
  if (acquire(mine) != 0) return 90;
  const int result = ipckit_condition_wait(mine, 0, timeout, nullptr);
  if (ipckit_sync_holds(mine, 0) != 1) return 91;
  if (release(mine) != 0) return 92;
  ipckit_sync_close(mine);
  return result == 0 ? 0 : result == -ETIMEDOUT ? 1 : 2;
}

class Waiters {
 public:
  Waiters(ipckit_sync_t* condition, const std::string& name, int count, int64_t timeout = kPatience) {
    for (int i = 0; i < count; i++) {
      children.push_back(std::make_unique<Child>([=] { return wait_in_child(name, timeout); }));
      await_waiters(condition, static_cast<uint32_t>(i + 1));
      // It has let go of the lock, so the next one does not wait for that, which would count as well.
      EXPECT_EQ(acquire(condition), 0);
      EXPECT_EQ(release(condition), 0);
    }
  }
  std::vector<std::unique_ptr<Child>> children;
};

TEST(Condition, NotifyWakesTheOldestAndNobodyElse) {
  Sync condition(IPCKIT_KIND_CONDITION);
  Waiters waiters(condition, condition.name(), 3);
  for (uint32_t left = 3; left > 0; left--) {
    EXPECT_EQ(ipckit_condition_notify(condition, 1), 1);
    EXPECT_EQ(waiters.children[3 - left]->join(), 0);
    EXPECT_EQ(stat_of(condition).waiters, left - 1);
  }
  EXPECT_EQ(ipckit_condition_notify(condition, 1), 0);
  EXPECT_EQ(ipckit_sync_verify(condition), 0);
}

TEST(Condition, NotifyOfSeveralAndOfAll) {
  Sync condition(IPCKIT_KIND_CONDITION);
  Waiters waiters(condition, condition.name(), 6);
  EXPECT_EQ(ipckit_condition_notify(condition, 0), 0);
  EXPECT_EQ(ipckit_condition_notify(condition, 2), 2);
  EXPECT_EQ(waiters.children[0]->join(), 0);
  EXPECT_EQ(waiters.children[1]->join(), 0);
  EXPECT_EQ(ipckit_condition_notify(condition, UINT32_MAX), 4);
  for (int i = 2; i < 6; i++) EXPECT_EQ(waiters.children[i]->join(), 0);
  EXPECT_EQ(ipckit_condition_notify(condition, 3), 0);
}

TEST(Condition, ATimeoutLeavesNothingBehindAndTheLockHeld) {
  Sync condition(IPCKIT_KIND_CONDITION);
  ASSERT_EQ(acquire(condition, 0, 3), 0);
  EXPECT_EQ(ipckit_condition_wait(condition, 0, 10 * kMillisecond, nullptr), -ETIMEDOUT);
  EXPECT_EQ(ipckit_sync_holds(condition, 0), 3) << "as deep as before";
  EXPECT_EQ(ipckit_condition_wait(condition, 0, 0, nullptr), -ETIMEDOUT);
  EXPECT_EQ(stat_of(condition).waiters, 0U);
  EXPECT_EQ(ipckit_condition_notify(condition, 5), 0);
  EXPECT_EQ(ipckit_sync_verify(condition), 0);
}

TEST(Condition, AWaitWithoutTheLockIsRefused) {
  Sync condition(IPCKIT_KIND_CONDITION);
  EXPECT_EQ(ipckit_condition_wait(condition, 0, 0, nullptr), IPCKIT_E_NOT_HELD);
  ASSERT_EQ(acquire(condition, 0, 1, 7), 0);
  EXPECT_EQ(ipckit_condition_wait(condition, 8, 0, nullptr), IPCKIT_E_NOT_HELD);
  EXPECT_EQ(ipckit_condition_wait(condition, 7, -1, nullptr), -EINVAL);
}

TEST(Condition, ANoticeBetweenBeginAndSleepIsNotLost) {
  Sync condition(IPCKIT_KIND_CONDITION);
  ipckit_wait_t wait = a_wait(IPCKIT_WAIT_CONDITION);
  ASSERT_EQ(ipckit_sync_begin(condition, &wait), -EAGAIN);
  EXPECT_EQ(ipckit_condition_notify(condition, 1), 1);
  EXPECT_EQ(ipckit_sync_try(condition, &wait), 0);
}

TEST(Condition, ACancelOfWhatWasNotifiedSaysSo) {
  Sync condition(IPCKIT_KIND_CONDITION);
  ipckit_wait_t first = a_wait(IPCKIT_WAIT_CONDITION), second = a_wait(IPCKIT_WAIT_CONDITION);
  ASSERT_EQ(ipckit_sync_begin(condition, &first), -EAGAIN);
  ASSERT_EQ(ipckit_sync_begin(condition, &second), -EAGAIN);
  EXPECT_EQ(ipckit_condition_notify(condition, 1), 1);
  EXPECT_EQ(ipckit_sync_cancel(condition, &second), 0);
  EXPECT_EQ(ipckit_sync_cancel(condition, &first), 1);
}

TEST(Condition, ADeadWaiterIsNotCounted) {
  Sync condition(IPCKIT_KIND_CONDITION);
  Waiters waiters(condition, condition.name(), 2);
  waiters.children[0]->signal(SIGKILL);
  waiters.children[0]->join();
  EXPECT_EQ(ipckit_condition_notify(condition, 1), 1);
  EXPECT_EQ(waiters.children[1]->join(), 0) << "it went to the living one";
}

TEST(Condition, ANoticeThatADyingWaiterSwallowedReachesAnother) {
  for (int round = 0; round < 5; round++) {
    Sync condition(IPCKIT_KIND_CONDITION);
    Waiters waiters(condition, condition.name(), 3);
    waiters.children[0]->stop();  // it cannot take notice
    EXPECT_EQ(ipckit_condition_notify(condition, 1), 1);
    expect_soon_after_death(*waiters.children[0], "another waiter has the notice",
                            [&] { EXPECT_EQ(waiters.children[1]->join(), 0); });
    EXPECT_EQ(stat_of(condition).waiters, 1U) << "and only one";
    EXPECT_EQ(ipckit_sync_verify(condition), 0);
  }
}

TEST(Condition, NotifyNeverWaitsForWaiters) {
  Sync condition(IPCKIT_KIND_CONDITION);
  Waiters waiters(condition, condition.name(), 4);
  for (auto& child : waiters.children) child->stop();
  Stopwatch watch;
  EXPECT_EQ(ipckit_condition_notify(condition, 2), 2);
  EXPECT_EQ(ipckit_condition_notify(condition, 2), 2);
  EXPECT_LT(watch.seconds(), 2);
  for (auto& child : waiters.children) child->signal(SIGKILL);
  for (auto& child : waiters.children) child->join();
  EXPECT_EQ(ipckit_condition_notify(condition, 2), 0);
}

TEST(Condition, AHolderThatDiesIsToldOfToWhoComesBackFromAWait) {
  Sync condition(IPCKIT_KIND_CONDITION);
  Child child([&] {
    ipckit_sync_t* mine = open_in_child(condition.name());
    await_waiters(mine, 1);
    acquire(mine);
    ipckit_condition_notify(mine, 1);
    raise(SIGKILL);
    return 0;
  });
  ASSERT_EQ(acquire(condition, 0), 0);
  ipckit_wait_t wait = {};
  EXPECT_EQ(ipckit_condition_wait(condition, 0, kPatience, &wait), 0);
  EXPECT_EQ(wait.owner_died, 1U);
  EXPECT_EQ(wait.dead_pid, static_cast<uint32_t>(child.pid()));
  EXPECT_EQ(child.join(), 128 + SIGKILL);
}

TEST(Condition, ASignalHandlerEndsAWaitWithTheLockHeld) {
  Sync condition(IPCKIT_KIND_CONDITION);
  Child child([&] {
    struct sigaction quiet = {};
    quiet.sa_handler = [](int) {};
    sigaction(SIGUSR1, &quiet, nullptr);
    ipckit_sync_t* mine = open_in_child(condition.name());
    acquire(mine);
    const int result = ipckit_condition_wait(mine, 0, IPCKIT_FOREVER, nullptr);
    return result == -EINTR && ipckit_sync_holds(mine, 0) == 1 ? 0 : 1;
  });
  await_waiters(condition, 1);
  usleep(20000);
  child.signal(SIGUSR1);
  EXPECT_EQ(child.join(), 0);
}

TEST(Condition, ProducersAndConsumersLoseNothing) {
  Sync condition(IPCKIT_KIND_CONDITION);
  ipckit_sync_t* handle = condition;
  int items = 0, taken = 0;
  bool over = false;
  std::vector<std::thread> consumers;
  for (uint64_t agent = 1; agent <= 4; agent++) {
    consumers.emplace_back([&, agent] {
      ASSERT_EQ(acquire(handle, kPatience, 1, agent), 0);
      while (!over || items > 0) {
        if (items == 0) {
          ASSERT_EQ(ipckit_condition_wait(handle, agent, kPatience, nullptr), 0);
          continue;
        }
        items--;
        taken++;
      }
      ASSERT_EQ(release(handle, 1, agent), 0);
    });
  }
  for (int i = 0; i < 5000; i++) {
    ASSERT_EQ(acquire(handle, kPatience, 1, 99), 0);
    items++;
    if (i == 4999) over = true;
    ipckit_condition_notify(handle, over ? UINT32_MAX : 1);
    ASSERT_EQ(release(handle, 1, 99), 0);
  }
  for (auto& consumer : consumers) consumer.join();
  EXPECT_EQ(taken, 5000);
}
