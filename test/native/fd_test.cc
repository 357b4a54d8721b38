#include "sys/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace ipckit::sys {
namespace {

int open_something() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

TEST(fd, closes_its_descriptor_at_the_end_of_its_life) {
  const int number = open_something();
  {
    const fd owner(number);
    EXPECT_TRUE(owner);
    EXPECT_EQ(owner.get(), number);
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(fd, holds_nothing_at_first) {
  const fd empty;
  EXPECT_FALSE(empty);
  EXPECT_EQ(empty.get(), -1);
}

TEST(fd, moves_without_closing) {
  const int number = open_something();
  fd first(number);
  const fd second(std::move(first));
  EXPECT_EQ(second.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(fd, gives_what_it_held_to_the_other_side_of_an_assignment) {
  const int before = open_something();
  const int after = open_something();
  fd target(before);
  {
    fd source(after);
    target = std::move(source);
  }
  EXPECT_EQ(target.get(), after);
  EXPECT_TRUE(is_open(after));
  EXPECT_FALSE(is_open(before));
}

}  // namespace
}  // namespace ipckit::sys
