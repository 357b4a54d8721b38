#include "sys/readiness.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "events.h"

namespace ipckit::test {
namespace {

using sys::event;
using sys::readiness;

/// A descriptor that is readable when it has been raised, and writable unless it is brim-full.
class gate {
 public:
  int descriptor() const { return descriptor_.get(); }
  void raise() const { add(1); }
  void fill() const { add(UINT64_MAX - 1); }
  void drain() const {
    uint64_t value;
    EXPECT_EQ(::read(descriptor(), &value, sizeof value), static_cast<ssize_t>(sizeof value));
  }

 private:
  void add(uint64_t value) const {
    EXPECT_EQ(::write(descriptor(), &value, sizeof value), static_cast<ssize_t>(sizeof value));
  }
  sys::fd descriptor_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

class readiness_test : public testing::Test {
 protected:
  collected_events events;
  readiness poller{events.sink};
};

TEST_F(readiness_test, tells_when_a_descriptor_becomes_readable) {
  const gate armed;
  ASSERT_TRUE(poller.arm(7, armed.descriptor(), EPOLLIN).ok());
  EXPECT_FALSE(events.any_within(20ms));
  armed.raise();
  const event seen = events.next();
  EXPECT_EQ(seen.token, 7);
  EXPECT_TRUE(seen.result & EPOLLIN);
}

TEST_F(readiness_test, tells_at_once_when_the_descriptor_is_ready_already) {
  const gate armed;
  armed.raise();
  ASSERT_TRUE(poller.arm(1, armed.descriptor(), EPOLLIN).ok());
  EXPECT_EQ(events.next().token, 1);
}

TEST_F(readiness_test, tells_once_until_it_is_armed_again) {
  const gate armed;
  armed.raise();
  ASSERT_TRUE(poller.arm(1, armed.descriptor(), EPOLLIN).ok());
  events.next();
  EXPECT_FALSE(events.any_within(20ms));
  ASSERT_TRUE(poller.arm(1, armed.descriptor(), EPOLLIN).ok());
  events.next();
}

// A socket whose other end was shut down, with what it had sent unread: hung up, and never writable.
TEST_F(readiness_test, tells_once_of_a_hang_up_whatever_was_asked_for) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
  const sys::fd ours(ends[0]);
  const sys::fd theirs(ends[1]);
  while (::send(ours.get(), "full", 4, MSG_NOSIGNAL) > 0) {
  }
  ASSERT_TRUE(poller.arm(1, ours.get(), EPOLLOUT).ok());
  EXPECT_FALSE(events.any_within(20ms));
  ASSERT_EQ(::shutdown(theirs.get(), SHUT_RDWR), 0);
  EXPECT_TRUE(events.next().result & EPOLLHUP);
  EXPECT_FALSE(events.any_within(20ms));
}

TEST_F(readiness_test, keeps_waiting_for_what_has_not_come_when_the_other_has) {
  const gate armed;
  armed.fill();
  ASSERT_TRUE(poller.arm(1, armed.descriptor(), EPOLLOUT).ok());
  ASSERT_TRUE(poller.arm(1, armed.descriptor(), EPOLLIN).ok());
  const event first = events.next();
  EXPECT_TRUE(first.result & EPOLLIN);
  EXPECT_FALSE(first.result & EPOLLOUT);
  armed.drain();
  EXPECT_TRUE(events.next().result & EPOLLOUT);
}

TEST_F(readiness_test, tells_each_descriptor_by_its_token) {
  const gate one;
  const gate two;
  ASSERT_TRUE(poller.arm(1, one.descriptor(), EPOLLIN).ok());
  ASSERT_TRUE(poller.arm(2, two.descriptor(), EPOLLIN).ok());
  two.raise();
  EXPECT_EQ(events.next().token, 2);
  one.raise();
  EXPECT_EQ(events.next().token, 1);
}

TEST_F(readiness_test, tells_nothing_of_what_it_was_told_to_forget) {
  const gate armed;
  ASSERT_TRUE(poller.arm(1, armed.descriptor(), EPOLLIN).ok());
  poller.forget(1);
  poller.forget(1);
  armed.raise();
  EXPECT_FALSE(events.any_within(20ms));
}

TEST_F(readiness_test, reports_a_descriptor_that_cannot_be_polled_and_forgets_it) {
  const sys::fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(poller.arm(1, file.get(), EPOLLIN).why().error, EPERM);
  const gate armed;
  armed.raise();
  ASSERT_TRUE(poller.arm(1, armed.descriptor(), EPOLLIN).ok());
  EXPECT_EQ(events.next().token, 1);
}

TEST_F(readiness_test, polls_posix_queues) {
  scoped_posix_queue made(1, 8);
  ASSERT_TRUE(poller.arm(1, made.queue.descriptor(), EPOLLIN).ok());
  made.queue.send("x", 1, 0);
  EXPECT_TRUE(events.next().result & EPOLLIN);
  ASSERT_TRUE(poller.arm(1, made.queue.descriptor(), EPOLLOUT).ok());
  EXPECT_FALSE(events.any_within(20ms));
  char buffer[8];
  made.queue.receive(buffer, sizeof buffer, nullptr);
  EXPECT_TRUE(events.next().result & EPOLLOUT);
}

TEST_F(readiness_test, stops_with_waits_outstanding_and_stops_twice) {
  const gate armed;
  ASSERT_TRUE(poller.arm(1, armed.descriptor(), EPOLLIN).ok());
  poller.stop();
  poller.stop();
  armed.raise();
  EXPECT_FALSE(events.any_within(20ms));
}

TEST_F(readiness_test, stops_without_ever_having_started) { poller.stop(); }

TEST_F(readiness_test, never_misses_a_message_that_comes_while_it_is_armed) {
  scoped_posix_queue made(10, sizeof(int));
  constexpr int total = 5'000;
  std::thread sender([&] {
    for (int number = 0; number < total;) {
      if (made.queue.send(&number, sizeof number, 0) == 0) {
        number++;
      } else {
        std::this_thread::yield();
      }
    }
  });
  for (int expected = 0; expected < total;) {
    int number = -1;
    if (made.queue.receive(&number, sizeof number, nullptr) == -EAGAIN) {
      ASSERT_TRUE(poller.arm(1, made.queue.descriptor(), EPOLLIN).ok());
      events.next();
    } else {
      ASSERT_EQ(number, expected++);
    }
  }
  sender.join();
}

}  // namespace
}  // namespace ipckit::test
