// Events.
#include "support.h"

TEST(Event, IsSetAndCleared) {
  Sync event(IPCKIT_KIND_EVENT);
  Guest guest(event.name());
  EXPECT_EQ(ipckit_event_is_set(event), 0);
  EXPECT_EQ(wait_for(event, IPCKIT_WAIT_EVENT, 0), -EAGAIN);
  EXPECT_EQ(wait_for(event, IPCKIT_WAIT_EVENT, 10 * kMillisecond), -ETIMEDOUT);
  EXPECT_EQ(ipckit_event_set(event), 0);
  EXPECT_EQ(ipckit_event_set(event), 0) << "again";
  EXPECT_EQ(ipckit_event_is_set(guest), 1);
  EXPECT_EQ(stat_of(guest).value, 1U);
  EXPECT_EQ(wait_for(guest, IPCKIT_WAIT_EVENT, 0), 0);
  EXPECT_EQ(ipckit_event_clear(guest), 0);
  EXPECT_EQ(ipckit_event_is_set(event), 0);
  EXPECT_EQ(wait_for(event, IPCKIT_WAIT_EVENT, 0), -EAGAIN);
  EXPECT_EQ(acquire(event, 0), -EINVAL);
}

TEST(Event, SetLetsEverybodyThroughWhoWaitsAlsoWhenClearFollowsAtOnce) {
  Sync event(IPCKIT_KIND_EVENT);
  for (int round = 0; round < 20; round++) {
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 5; i++) {
      children.push_back(std::make_unique<Child>([&] {
        ipckit_sync_t* mine = open_in_child(event.name());
        const int result = wait_for(mine, IPCKIT_WAIT_EVENT, IPCKIT_FOREVER);
        ipckit_sync_close(mine);
        return result == 0 ? 0 : 1;
      }));
    }
    await_waiters(event, 5);
    EXPECT_EQ(ipckit_event_set(event), 0);
    EXPECT_EQ(ipckit_event_clear(event), 0);
    for (auto& child : children) EXPECT_EQ(child->join(), 0);
  }
}

TEST(Event, AWaitInStepsHearsOfASetAndAClear) {
  Sync event(IPCKIT_KIND_EVENT);
  ipckit_wait_t wait = a_wait(IPCKIT_WAIT_EVENT);
  ipckit_wait_word_t word;
  int64_t bound;
  ASSERT_EQ(ipckit_sync_begin(event, &wait), -EAGAIN);
  ASSERT_EQ(ipckit_sync_arm(event, &wait, &word, &bound), 1);
  EXPECT_EQ(*word.address, word.expected);
  EXPECT_EQ(ipckit_sync_try(event, &wait), -EAGAIN);
  EXPECT_EQ(ipckit_event_set(event), 0);
  EXPECT_EQ(ipckit_event_clear(event), 0);
  EXPECT_EQ(ipckit_sync_arm(event, &wait, &word, &bound), 0);
  EXPECT_EQ(ipckit_sync_try(event, &wait), 0);
}

TEST(Event, SetNeverWaitsForStoppedOrDeadWaiters) {
  Sync event(IPCKIT_KIND_EVENT);
  Child stopped([&] { return wait_for(open_in_child(event.name()), IPCKIT_WAIT_EVENT); });
  Child killed([&] { return wait_for(open_in_child(event.name()), IPCKIT_WAIT_EVENT); });
  Child living([&] { return wait_for(open_in_child(event.name()), IPCKIT_WAIT_EVENT); });
  await_waiters(event, 3);
  stopped.stop();
  killed.signal(SIGKILL);
  Stopwatch watch;
  EXPECT_EQ(ipckit_event_set(event), 0);
  EXPECT_LT(watch.seconds(), 2);
  EXPECT_EQ(living.join(), 0);
  EXPECT_EQ(killed.join(), 128 + SIGKILL);
  EXPECT_EQ(ipckit_sync_sweep(event), 1);
}

TEST(Event, RoundsBetweenTwoProcessesAreAllSeen) {
  Sync ping(IPCKIT_KIND_EVENT), pong(IPCKIT_KIND_EVENT);
  constexpr int kRounds = 3000;
  Child child([&] {
    ipckit_sync_t *mine = open_in_child(ping.name()), *other = open_in_child(pong.name());
    for (int i = 0; i < kRounds; i++) {
      if (wait_for(mine, IPCKIT_WAIT_EVENT) != 0) return 1;
      ipckit_event_clear(mine);
      ipckit_event_set(other);
    }
    return 0;
  });
  for (int i = 0; i < kRounds; i++) {
    ipckit_event_set(ping);
    ASSERT_EQ(wait_for(pong, IPCKIT_WAIT_EVENT), 0);
    ipckit_event_clear(pong);
  }
  EXPECT_EQ(child.join(), 0);
}
