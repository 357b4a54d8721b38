// The locks by themselves: who gets one, and what is said of its owner.
#include "support.h"

extern "C" {
#include "ring/queue.h"
}

TEST(Locks, AreLookedAtOnceMoreWhenTheTimeIsOver) {
  Queue queue;
  Guest guest(queue.name());
  ipckit_queue_t* mine = queue;
  ipckit_queue_t* other = guest;
  uint32_t* lock = &mine->h->producer_lock;
  // Whoever was kept from running for longer than the bound has waited for nobody.
  int64_t end = 1;
  *lock = 5 | 7 << 11;  // somebody who never was
  EXPECT_EQ(ring_lock(lock, &mine->people, &end), RING_OWNER_DEAD);
  *lock = 0;
  EXPECT_EQ(ring_lock_slow(lock, &mine->people, &end), 0);
  *lock = other->people.tag;
  EXPECT_EQ(ring_lock(lock, &mine->people, &end), IPCKIT_E_HELD) << "its owner lives";
  *lock = 0;
}

TEST(Locks, AReleaseOfAnotherOnesLockIsNoticed) {
  Queue queue;
  Guest guest(queue.name());
  ipckit_queue_t* mine = queue;
  ipckit_queue_t* other = guest;
  int64_t end = 0;
  ASSERT_EQ(ring_lock(&mine->h->producer_lock, &mine->people, &end), 0);
  mine->h->producer_lock = other->people.tag;
  EXPECT_FALSE(ring_unlock(&mine->h->producer_lock, &mine->people));
  ASSERT_EQ(ring_enter_consumers(mine), 0);
  mine->h->consumer_lock = other->people.tag;
  EXPECT_EQ(ring_leave_consumers(mine, 0), IPCKIT_E_CORRUPT);
  EXPECT_EQ(put(guest, "x"), IPCKIT_E_CORRUPT) << "and everyone is told";
}
