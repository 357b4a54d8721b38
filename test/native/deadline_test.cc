#include "sys/deadline.h"

#include <gtest/gtest.h>

#include <thread>

namespace ipckit::sys {
namespace {

TEST(deadline, has_time_left_until_it_expires) {
  const deadline soon = deadline::in_milliseconds(30);
  EXPECT_FALSE(soon.expired());
  EXPECT_GT(soon.remaining(), 0);
  EXPECT_LE(soon.remaining(), 30'000'000);
  std::this_thread::sleep_for(std::chrono::milliseconds(31));
  EXPECT_TRUE(soon.expired());
}

TEST(deadline, never_has_a_negative_time_left) {
  const deadline past = deadline::in_milliseconds(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(past.expired());
  EXPECT_EQ(past.remaining(), 0);
  EXPECT_EQ(past.remaining_timespec().tv_sec, 0);
  EXPECT_EQ(past.remaining_timespec().tv_nsec, 0);
}

TEST(deadline, counts_fractions_of_a_millisecond) {
  EXPECT_LE(deadline::in_milliseconds(0.5).remaining(), 500'000);
}

TEST(deadline, reaches_as_far_as_the_longest_timer_of_node) {
  const timespec left = deadline::in_milliseconds(2'147'483'647).remaining_timespec();
  EXPECT_GE(left.tv_sec, 2'147'482);
  EXPECT_LT(left.tv_nsec, 1'000'000'000);
}

}  // namespace
}  // namespace ipckit::sys
