#include "sys/outcome.h"

#include <gtest/gtest.h>

#include <memory>

namespace ipckit::sys {
namespace {

TEST(outcome, is_a_value_or_the_errno_of_the_call_that_failed) {
  const outcome<int> good = 7;
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(good.value(), 7);

  const outcome<int> bad = failure{ENOENT, "mq_open"};
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.why().error, ENOENT);
  EXPECT_STREQ(bad.why().syscall, "mq_open");
}

TEST(outcome, holds_values_that_can_only_move) {
  outcome<std::unique_ptr<int>> held = std::make_unique<int>(3);
  const std::unique_ptr<int> taken = std::move(held.value());
  EXPECT_EQ(*taken, 3);
}

TEST(outcome, last_failure_keeps_errno) {
  errno = EMFILE;
  EXPECT_EQ(last_failure("mq_open").error, EMFILE);
}

}  // namespace
}  // namespace ipckit::sys
