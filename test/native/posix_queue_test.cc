#include "sys/posix_queue.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "support.h"

namespace ipckit::test {
namespace {

using sys::deadline;
using sys::outcome;
using sys::posix_queue;

int send(posix_queue& queue, const std::string& text, unsigned priority = 0) {
  return queue.send(text.data(), text.size(), priority);
}

std::string receive(posix_queue& queue, unsigned* priority = nullptr) {
  char buffer[8192];
  const ssize_t length = queue.receive(buffer, sizeof buffer, priority);
  return length < 0 ? "errno " + std::to_string(-length) : std::string(buffer, static_cast<size_t>(length));
}

const deadline far_away = deadline::in_milliseconds(100'000);

TEST(posix_queue, refuses_to_create_what_exists_and_to_open_what_does_not) {
  scoped_posix_queue existing;
  const auto twice = posix_queue::open(existing.name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, 1, 1);
  EXPECT_EQ(twice.why().error, EEXIST);
  EXPECT_STREQ(twice.why().syscall, "mq_open");
  const auto missing = posix_queue::open("/ipckit-test-nowhere", O_RDWR, 0, 0, 0);
  EXPECT_EQ(missing.why().error, ENOENT);
  EXPECT_EQ(posix_queue::unlink("/ipckit-test-nowhere").why().error, ENOENT);
}

TEST(posix_queue, refuses_a_name_without_a_slash_in_front) {
  EXPECT_EQ(posix_queue::open("jobs", O_CREAT | O_RDWR, 0600, 1, 1).why().error, EINVAL);
}

TEST(posix_queue, is_created_with_the_exact_mode_whatever_the_umask) {
  const mode_t before = ::umask(077);
  scoped_posix_queue unused;
  const std::string name = unused.name + "-mode";
  auto made = posix_queue::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0666, 1, 1);
  EXPECT_EQ(made.value().status().value().mode, 0666u);
  EXPECT_TRUE(posix_queue::unlink(name.c_str()).ok());
  ::umask(before);
}

TEST(posix_queue, takes_the_sizes_of_the_kernel_when_none_are_asked_for) {
  scoped_posix_queue made(0, 0);
  const auto status = made.queue.status().value();
  EXPECT_EQ(status.capacity, number_in("/proc/sys/fs/mqueue/msg_default"));
  EXPECT_EQ(status.message_bytes, number_in("/proc/sys/fs/mqueue/msgsize_default"));
  EXPECT_EQ(made.queue.message_bytes(), static_cast<size_t>(status.message_bytes));
}

TEST(posix_queue, tells_its_state) {
  scoped_posix_queue made(3, 16);
  send(made.queue, "one");
  const auto status = made.queue.status().value();
  EXPECT_EQ(status.capacity, 3);
  EXPECT_EQ(status.message_bytes, 16);
  EXPECT_EQ(status.depth, 1);
  EXPECT_EQ(status.owner, ::geteuid());
  EXPECT_EQ(status.group, ::getegid());
  EXPECT_EQ(status.mode, 0600u);
  EXPECT_TRUE(status.linked);
}

TEST(posix_queue, is_never_inherited_by_another_program) {
  scoped_posix_queue made;
  EXPECT_TRUE(::fcntl(made.queue.descriptor(), F_GETFD) & FD_CLOEXEC);
}

TEST(posix_queue, passes_a_limit_of_the_kernel_on_as_its_errno) {
  // Above the hard limit of 65,536 messages, which no privilege lifts.
  EXPECT_EQ(posix_queue::open("/ipckit-test", O_CREAT | O_RDWR, 0600, 65'537, 1).why().error, EINVAL);
}

TEST(posix_queue, fails_with_emfile_when_the_bytes_of_the_user_are_used_up) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_MSGQUEUE, &before), 0);
  const rlimit tiny{64, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_MSGQUEUE, &tiny), 0);
  EXPECT_EQ(posix_queue::open("/ipckit-test", O_CREAT | O_RDWR, 0600, 10, 8192).why().error, EMFILE);
  ::setrlimit(RLIMIT_MSGQUEUE, &before);
}

TEST(posix_queue, delivers_the_highest_priority_first_and_equal_ones_in_order) {
  scoped_posix_queue made;
  for (const auto& [text, priority] :
       {std::pair{"low", 1u}, {"first", 5u}, {"second", 5u}, {"top", 32'767u}}) {
    EXPECT_EQ(send(made.queue, text, priority), 0);
  }
  unsigned priority = 0;
  EXPECT_EQ(receive(made.queue, &priority), "top");
  EXPECT_EQ(priority, 32'767u);
  EXPECT_EQ(receive(made.queue), "first");
  EXPECT_EQ(receive(made.queue), "second");
  EXPECT_EQ(receive(made.queue, &priority), "low");
  EXPECT_EQ(priority, 1u);
}

TEST(posix_queue, refuses_a_priority_above_the_highest) {
  scoped_posix_queue made;
  EXPECT_EQ(send(made.queue, "x", 32'768), -EINVAL);
}

TEST(posix_queue, carries_messages_of_every_size_up_to_its_own_and_none_above) {
  scoped_posix_queue made(10, 64);
  for (const size_t size : {0, 1, 63, 64}) {
    const std::string text(size, 'x');
    EXPECT_EQ(send(made.queue, text), 0);
    EXPECT_EQ(receive(made.queue), text);
  }
  EXPECT_EQ(send(made.queue, std::string(65, 'x')), -EMSGSIZE);
}

TEST(posix_queue, keeps_a_message_for_which_the_buffer_is_too_small) {
  scoped_posix_queue made(1, 64);
  send(made.queue, "kept");
  char small[63];
  EXPECT_EQ(made.queue.receive(small, sizeof small, nullptr), -EMSGSIZE);
  EXPECT_EQ(receive(made.queue), "kept");
}

TEST(posix_queue, never_blocks_when_full_or_empty) {
  scoped_posix_queue made(2, 8);
  char buffer[8];
  EXPECT_EQ(made.queue.receive(buffer, sizeof buffer, nullptr), -EAGAIN);
  EXPECT_EQ(send(made.queue, "1"), 0);
  EXPECT_EQ(send(made.queue, "2"), 0);
  EXPECT_EQ(send(made.queue, "3"), -EAGAIN);
}

TEST(posix_queue, refuses_what_the_descriptor_was_not_opened_for) {
  scoped_posix_queue made;
  auto reader = posix_queue::open(made.name.c_str(), O_RDONLY, 0, 0, 0);
  EXPECT_EQ(send(reader.value(), "x"), -EBADF);
  auto writer = posix_queue::open(made.name.c_str(), O_WRONLY, 0, 0, 0);
  EXPECT_EQ(receive(writer.value()), "errno " + std::to_string(EBADF));
}

TEST(posix_queue_wait, ends_at_its_deadline_and_not_before) {
  scoped_posix_queue made;
  const auto start = steady::now();
  EXPECT_EQ(made.queue.wait(POLLIN, deadline::in_milliseconds(50)), 0);
  EXPECT_GE(steady::now() - start, 50ms);
}

TEST(posix_queue_wait, returns_at_once_when_there_is_nothing_to_wait_for) {
  scoped_posix_queue made;
  EXPECT_EQ(made.queue.wait(POLLOUT, far_away), 1);
  send(made.queue, "x");
  EXPECT_EQ(made.queue.wait(POLLIN, deadline::in_milliseconds(0)), 1);
}

TEST(posix_queue_wait, ends_when_another_process_sends) {
  scoped_posix_queue made;
  child_process sender([&] {
    std::this_thread::sleep_for(20ms);
    auto queue = posix_queue::open(made.name.c_str(), O_WRONLY, 0, 0, 0);
    ::_exit(send(queue.value(), "from afar"));
  });
  EXPECT_EQ(made.queue.wait(POLLIN, far_away), 1);
  EXPECT_EQ(receive(made.queue), "from afar");
}

TEST(posix_queue_wait, of_a_full_queue_ends_when_somebody_receives) {
  scoped_posix_queue made(1, 8);
  send(made.queue, "x");
  EXPECT_EQ(made.queue.wait(POLLOUT, deadline::in_milliseconds(10)), 0);
  std::thread receiver([&] {
    std::this_thread::sleep_for(20ms);
    receive(made.queue);
  });
  EXPECT_EQ(made.queue.wait(POLLOUT, far_away), 1);
  receiver.join();
}

TEST(posix_queue_wait, reports_a_signal_so_that_the_caller_can_look_up) {
  scoped_posix_queue made;
  const interrupt_storm storm;
  EXPECT_EQ(made.queue.wait(POLLIN, far_away), -EINTR);
}

TEST(posix_queue_wait, keeps_its_deadline_under_a_storm_of_signals) {
  scoped_posix_queue made;
  const interrupt_storm storm;
  const deadline end = deadline::in_milliseconds(100);
  const auto start = steady::now();
  int result = -EINTR;
  while (result == -EINTR) result = made.queue.wait(POLLIN, end);
  EXPECT_EQ(result, 0);
  EXPECT_GE(steady::now() - start, 100ms);
  EXPECT_GT(storm.count(), 10);
}

TEST(posix_queue_wait, holds_no_message_when_its_process_is_killed) {
  scoped_posix_queue made(10, 8);
  for (int round = 0; round < 50; round++) {
    child_process waiter([&] { (void)made.queue.wait(POLLIN, far_away); });
    waiter.await_sleep_in(SYS_ppoll);
    send(made.queue, "kept");
    waiter.end(SIGKILL);
    ASSERT_EQ(receive(made.queue), "kept") << "round " << round;
  }
}

TEST(posix_queue, neither_loses_nor_doubles_a_message_under_a_storm_of_signals) {
  scoped_posix_queue made(4, sizeof(int));
  constexpr int total = 20'000;
  std::thread sender([&] {
    const interrupt_storm storm;
    for (int number = 0; number < total;) {
      const int result = made.queue.send(&number, sizeof number, 0);
      ASSERT_TRUE(result == 0 || result == -EAGAIN) << result;
      if (result == 0) {
        number++;
      } else {
        made.queue.wait(POLLOUT, far_away);
      }
    }
  });
  const interrupt_storm storm;
  for (int expected = 0; expected < total;) {
    int number = -1;
    const ssize_t result = made.queue.receive(&number, sizeof number, nullptr);
    ASSERT_TRUE(result == sizeof number || result == -EAGAIN) << result;
    if (result < 0) {
      made.queue.wait(POLLIN, far_away);
    } else {
      ASSERT_EQ(number, expected++);
    }
  }
  sender.join();
}

TEST(posix_queue_unlink, takes_the_name_and_leaves_the_queue_to_those_who_have_it) {
  scoped_posix_queue made;
  EXPECT_TRUE(posix_queue::unlink(made.name.c_str()).ok());
  EXPECT_FALSE(made.queue.status().value().linked);
  EXPECT_EQ(posix_queue::open(made.name.c_str(), O_RDWR, 0, 0, 0).why().error, ENOENT);
  EXPECT_EQ(send(made.queue, "still here"), 0);
  EXPECT_EQ(receive(made.queue), "still here");
}

TEST(posix_queue_notify, gives_one_notice_when_a_message_comes_into_the_empty_queue) {
  scoped_posix_queue made;
  const outcome<sys::fd> notice = made.queue.notify();
  ASSERT_TRUE(notice.ok());
  pollfd polled{notice.value().get(), POLLIN, 0};
  EXPECT_EQ(::poll(&polled, 1, 20), 0);
  send(made.queue, "x");
  EXPECT_EQ(::poll(&polled, 1, -1), 1);
}

TEST(posix_queue_notify, serves_one_asker_at_a_time) {
  scoped_posix_queue made;
  const auto other = posix_queue::open(made.name.c_str(), O_RDONLY, 0, 0, 0);
  const outcome<sys::fd> first = made.queue.notify();
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(other.value().notify().why().error, EBUSY);
  EXPECT_TRUE(made.queue.cancel_notify().ok());
  EXPECT_TRUE(other.value().notify().ok());
}

TEST(posix_queue_directory, lists_the_queues_of_this_namespace_without_a_mount) {
  const outcome<sys::fd> directory = sys::posix_queue_directory();
  if (!directory.ok() && (directory.why().error == EPERM || directory.why().error == ENOSYS)) {
    GTEST_SKIP() << "not allowed here";
  }
  ASSERT_TRUE(directory.ok()) << directory.why().syscall;
  scoped_posix_queue made;
  EXPECT_EQ(::faccessat(directory.value().get(), made.name.c_str() + 1, F_OK, 0), 0);
}

}  // namespace
}  // namespace ipckit::test
