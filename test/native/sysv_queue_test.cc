#include "sys/sysv_queue.h"

#include <sys/stat.h>

#include "support.h"
#include "sys/interrupt.h"

namespace ipckit::test {
namespace {

using sys::message_selector;
using sys::stop_condition;
using sys::sysv_queue;

constexpr stop_condition never{[](const void*) { return false; }, nullptr};
constexpr stop_condition at_once{[](const void*) { return true; }, nullptr};

int send(sysv_queue& queue, long type, const std::string& text) {
  message out{type, {}};
  std::memcpy(out.text, text.data(), text.size());
  return queue.send(&out, text.size());
}

/// "type:text", or "errno N".
std::string receive(sysv_queue& queue, message_selector selector = {}, int flags = 0, size_t size = 8192) {
  message in{};
  const ssize_t length = queue.receive(&in, size, selector, flags);
  if (length < 0) return "errno " + std::to_string(-length);
  return std::to_string(in.type) + ":" + std::string(in.text, static_cast<size_t>(length));
}

std::string errno_text(int number) { return "errno " + std::to_string(number); }

/// A wait for a message on a thread of its own, with a handle of its own: they are not for sharing.
class waiting_thread {
 public:
  waiting_thread(const sysv_queue& queue, message_selector selector = {})
      : thread_([this, queue = queue, selector]() mutable {
          id_ = this_thread_id();
          result = queue.wait_to_receive(selector, never, &taken);
        }) {
    until([&] { return id_ != 0 && sleeps_in(::getpid(), id_, SYS_msgrcv); });
  }
  void join() { thread_.join(); }

  std::atomic<int> result{1};
  long taken = 0;

 private:
  std::atomic<pid_t> id_{0};
  std::thread thread_;
};

TEST(sysv_queue, refuses_to_create_what_exists_and_to_get_what_does_not) {
  const key_t key = static_cast<key_t>(std::random_device{}() | 1);
  EXPECT_EQ(sysv_queue::get(key, 0).why().error, ENOENT);
  const int id = sysv_queue::get(key, IPC_CREAT | IPC_EXCL | 0600).value();
  EXPECT_EQ(sysv_queue::get(key, IPC_CREAT | IPC_EXCL | 0600).why().error, EEXIST);
  EXPECT_STREQ(sysv_queue::get(key, IPC_CREAT | IPC_EXCL | 0600).why().syscall, "msgget");
  EXPECT_EQ(sysv_queue::get(key, 0).value(), id);
  EXPECT_TRUE(sysv_queue::attach(id).value().remove().ok());
}

TEST(sysv_queue, refuses_an_id_that_is_no_queue) {
  int id = 0;
  {
    const scoped_sysv_queue gone;
    id = gone.id;
  }
  EXPECT_EQ(sysv_queue::attach(id).why().error, EINVAL);
}

TEST(sysv_queue, is_made_with_the_exact_mode_whatever_the_umask) {
  const mode_t before = ::umask(077);
  const int id = sysv_queue::get(IPC_PRIVATE, 0666).value();
  auto queue = sysv_queue::attach(id).value();
  EXPECT_EQ(queue.status().value().msg_perm.mode & 0777, 0666);
  EXPECT_TRUE(queue.remove().ok());
  ::umask(before);
}

TEST(sysv_queue, selects_by_type) {
  scoped_sysv_queue made;
  for (const auto& [type, text] : {std::pair{3l, "c"}, {1l, "a"}, {2l, "b"}, {1l, "A"}, {9l, "z"}}) {
    EXPECT_EQ(send(made.queue, type, text), 0);
  }
  EXPECT_EQ(receive(made.queue, {7, 0}), errno_text(ENOMSG));
  EXPECT_EQ(receive(made.queue, {1, 0}), "1:a");           // The first of this type.
  EXPECT_EQ(receive(made.queue, {-2, 0}), "1:A");          // The lowest type up to 2.
  EXPECT_EQ(receive(made.queue, {3, MSG_EXCEPT}), "2:b");  // The first of any other type.
  EXPECT_EQ(receive(made.queue, {0, 0}), "3:c");           // The first.
  EXPECT_EQ(receive(made.queue, {-8, 0}), errno_text(ENOMSG));
  EXPECT_EQ(receive(made.queue), "9:z");
}

TEST(sysv_queue, refuses_a_type_that_is_not_positive) {
  scoped_sysv_queue made;
  EXPECT_EQ(send(made.queue, 0, "x"), -EINVAL);
  EXPECT_EQ(send(made.queue, -1, "x"), -EINVAL);
}

TEST(sysv_queue, carries_messages_of_every_size_up_to_the_limit_and_none_above) {
  scoped_sysv_queue made;
  const auto limit = static_cast<size_t>(number_in("/proc/sys/kernel/msgmax"));
  if (limit != 8192) GTEST_SKIP() << "msgmax is " << limit << " here";
  for (const size_t size : {size_t{0}, size_t{1}, limit - 1, limit}) {
    const std::string text(size, 'x');
    EXPECT_EQ(send(made.queue, 1, text), 0);
    EXPECT_EQ(receive(made.queue), "1:" + text);
  }
  const std::vector<char> large(sizeof(long) + limit + 1, 1);
  EXPECT_EQ(made.queue.send(large.data(), limit + 1), -EINVAL);
}

TEST(sysv_queue, never_blocks_when_full_or_empty) {
  scoped_sysv_queue made;
  EXPECT_EQ(receive(made.queue), errno_text(ENOMSG));
  const std::string text(1024, 'x');
  int sent = 0;
  int result = 0;
  while ((result = send(made.queue, 1, text)) == 0) sent++;
  EXPECT_EQ(result, -EAGAIN);
  EXPECT_EQ(static_cast<unsigned long>(sent), made.queue.status().value().msg_qbytes / 1024);
}

TEST(sysv_queue, keeps_a_message_for_which_the_buffer_is_too_small) {
  scoped_sysv_queue made;
  send(made.queue, 1, "kept whole");
  EXPECT_EQ(receive(made.queue, {}, 0, 4), errno_text(E2BIG));
  EXPECT_EQ(receive(made.queue), "1:kept whole");
}

TEST(sysv_queue, cuts_a_message_only_when_asked_to) {
  scoped_sysv_queue made;
  send(made.queue, 1, "cut off");
  EXPECT_EQ(receive(made.queue, {}, MSG_NOERROR, 3), "1:cut");
  EXPECT_EQ(receive(made.queue), errno_text(ENOMSG));
}

TEST(sysv_queue, tells_its_state) {
  scoped_sysv_queue made;
  send(made.queue, 1, "12345");
  const msqid_ds status = made.queue.status().value();
  EXPECT_EQ(status.msg_qnum, 1u);
  EXPECT_EQ(status.__msg_cbytes, 5u);
  EXPECT_EQ(status.msg_lspid, ::getpid());
  EXPECT_EQ(status.msg_perm.uid, ::geteuid());
}

TEST(sysv_queue, takes_a_new_mode_and_a_smaller_size) {
  scoped_sysv_queue made;
  EXPECT_TRUE(made.queue.set(::geteuid(), ::getegid(), 0640, 1000).ok());
  const msqid_ds status = made.queue.status().value();
  EXPECT_EQ(status.msg_perm.mode & 0777, 0640);
  EXPECT_EQ(status.msg_qbytes, 1000u);
  EXPECT_EQ(send(made.queue, 1, std::string(1001, 'x')), -EAGAIN);
}

TEST(sysv_queue, tells_its_state_to_those_who_may_only_send) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  scoped_sysv_queue made;
  ASSERT_TRUE(made.queue.set(0, 0, 0622, 16'384).ok());
  child_process stranger([&] {
    if (::setgid(12'345) != 0 || ::setuid(12'345) != 0) ::_exit(1);
    auto queue = sysv_queue::attach(made.id);
    if (!queue.ok()) ::_exit(2);
    if (send(queue.value(), 1, "in") != 0) ::_exit(3);
    if (receive(queue.value()) != errno_text(EACCES)) ::_exit(4);
    const auto status = queue.value().status();
    ::_exit(status.ok() && status.value().msg_qnum == 1 ? 0 : 5);
  });
  EXPECT_EQ(WEXITSTATUS(stranger.end()), 0);
}

TEST(sysv_queue, is_gone_for_everyone_once_it_is_removed) {
  scoped_sysv_queue made;
  sysv_queue other = sysv_queue::attach(made.id).value();
  EXPECT_TRUE(made.queue.remove().ok());
  EXPECT_EQ(send(other, 1, "x"), -EINVAL);
  EXPECT_EQ(receive(other), errno_text(EINVAL));
  EXPECT_EQ(other.status().why().error, EINVAL);
  EXPECT_EQ(other.remove().why().error, EINVAL);
}

// An id comes round after 64 * 65,535 creations; on the way no other queue may take the slot.
TEST(sysv_queue, is_not_mistaken_for_a_later_one_with_the_same_id) {
  scoped_sysv_queue made;
  ASSERT_TRUE(made.queue.remove().ok());
  int id = -1;
  for (int round = 0; round < 5'000'000 && id != made.id; round++) {
    if (id >= 0) ::msgctl(id, IPC_RMID, nullptr);
    id = ::msgget(IPC_PRIVATE, 0600);
  }
  if (id != made.id) GTEST_SKIP() << "this kernel gives ids in another order";
  EXPECT_EQ(send(made.queue, 1, "astray"), -ESTALE);
  EXPECT_EQ(receive(made.queue), errno_text(ESTALE));
  long taken = 0;
  EXPECT_EQ(made.queue.wait_to_receive({}, never, &taken), -ESTALE);
  sysv_queue later = sysv_queue::attach(id).value();
  EXPECT_EQ(receive(later), errno_text(ENOMSG));
}

TEST(sysv_queue_wait, leaves_the_message_in_the_queue) {
  scoped_sysv_queue made;
  waiting_thread waiter(made.queue);
  send(made.queue, 1, "kept");
  waiter.join();
  EXPECT_EQ(waiter.result, -E2BIG);
  EXPECT_EQ(receive(made.queue), "1:kept");
}

TEST(sysv_queue_wait, takes_a_message_without_text_and_tells_its_type) {
  scoped_sysv_queue made;
  waiting_thread waiter(made.queue);
  send(made.queue, 42, "");
  waiter.join();
  EXPECT_EQ(waiter.result, 0);
  EXPECT_EQ(waiter.taken, 42);
  EXPECT_EQ(receive(made.queue), errno_text(ENOMSG));
}

TEST(sysv_queue_wait, sleeps_on_while_only_other_types_arrive) {
  scoped_sysv_queue made;
  waiting_thread waiter(made.queue, {-5, 0});
  send(made.queue, 6, "not for it");
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(waiter.result, 1);
  send(made.queue, 5, "for it");
  waiter.join();
  EXPECT_EQ(waiter.result, -E2BIG);
  EXPECT_EQ(receive(made.queue, {-5, 0}), "5:for it");
  EXPECT_EQ(receive(made.queue), "6:not for it");
}

TEST(sysv_queue_wait, ends_for_every_waiter_when_one_message_comes) {
  scoped_sysv_queue made;
  waiting_thread one(made.queue);
  waiting_thread two(made.queue);
  waiting_thread three(made.queue);
  send(made.queue, 1, "one for three");
  for (waiting_thread* each : {&one, &two, &three}) {
    each->join();
    EXPECT_EQ(each->result, -E2BIG);
  }
  EXPECT_EQ(receive(made.queue), "1:one for three");
}

TEST(sysv_queue_wait, holds_no_message_when_its_process_is_killed) {
  scoped_sysv_queue made;
  for (int round = 0; round < 100; round++) {
    child_process waiter([&] {
      long taken = 0;
      made.queue.wait_to_receive({}, never, &taken);
    });
    waiter.await_sleep_in(SYS_msgrcv);
    send(made.queue, 1, "kept");
    waiter.end(SIGKILL);
    ASSERT_EQ(receive(made.queue), "1:kept") << "round " << round;
  }
}

TEST(sysv_queue_wait, ends_when_the_queue_is_removed) {
  scoped_sysv_queue made;
  waiting_thread waiter(made.queue);
  ASSERT_TRUE(made.queue.remove().ok());
  waiter.join();
  EXPECT_EQ(waiter.result, -EIDRM);
}

TEST(sysv_queue_wait, sleeps_on_through_signals_that_do_not_mean_it) {
  scoped_sysv_queue made;
  const auto start = steady::now();
  std::thread sender([queue = made.queue]() mutable {
    std::this_thread::sleep_for(50ms);
    send(queue, 1, "x");
  });
  const interrupt_storm storm;
  long taken = 0;
  EXPECT_EQ(made.queue.wait_to_receive({}, never, &taken), -E2BIG);
  EXPECT_GE(steady::now() - start, 50ms);
  EXPECT_GT(storm.count(), 5);
  sender.join();
}

TEST(sysv_queue_wait, ends_when_a_signal_comes_and_its_stop_condition_holds) {
  scoped_sysv_queue made;
  sys::thread_alarm alarm;
  ASSERT_EQ(alarm.attach(), 0);
  const auto start = steady::now();
  alarm.start(20'000'000);
  long taken = 0;
  EXPECT_EQ(made.queue.wait_to_receive({}, at_once, &taken), -EINTR);
  EXPECT_GE(steady::now() - start, 20ms);
  alarm.stop();
}

TEST(sysv_queue_wait, to_send_ends_when_there_is_room_and_the_message_is_in) {
  scoped_sysv_queue made;
  while (send(made.queue, 1, std::string(4096, 'x')) == 0) {
  }
  std::thread receiver([queue = made.queue]() mutable {
    std::this_thread::sleep_for(20ms);
    receive(queue);
  });
  const interrupt_storm storm;
  message out{2, "last"};
  EXPECT_EQ(made.queue.wait_to_send(&out, 4, never), 0);
  receiver.join();
  EXPECT_EQ(receive(made.queue, {2, 0}), "2:last");
}

TEST(sysv_queue_wait, to_send_sends_nothing_when_it_is_stopped) {
  scoped_sysv_queue made;
  while (send(made.queue, 1, std::string(4096, 'x')) == 0) {
  }
  const auto before = made.queue.status().value().msg_qnum;
  const interrupt_storm storm;
  message out{2, "never"};
  EXPECT_EQ(made.queue.wait_to_send(&out, 4096, at_once), -EINTR);
  EXPECT_EQ(made.queue.status().value().msg_qnum, before);
}

TEST(sysv_queue, neither_loses_nor_doubles_a_message_under_a_storm_of_signals) {
  scoped_sysv_queue made;
  constexpr int total = 20'000;
  std::thread sender([queue = made.queue]() mutable {
    const interrupt_storm storm;
    for (int number = 0; number < total; number++) {
      struct {
        long type;
        int number;
      } out{1, number};
      int result = queue.send(&out, sizeof number);
      if (result == -EAGAIN) result = queue.wait_to_send(&out, sizeof number, never);
      ASSERT_EQ(result, 0);
    }
  });
  const interrupt_storm storm;
  for (int expected = 0; expected < total;) {
    struct {
      long type;
      int number;
    } in{};
    const ssize_t result = made.queue.receive(&in, sizeof in.number, {}, 0);
    if (result == -ENOMSG) {
      long taken = 0;
      ASSERT_EQ(made.queue.wait_to_receive({}, never, &taken), -E2BIG);
    } else {
      ASSERT_EQ(result, static_cast<ssize_t>(sizeof in.number));
      ASSERT_EQ(in.number, expected++);
    }
  }
  sender.join();
}

TEST(sysv_queue_limits, are_those_of_the_kernel) {
  scoped_sysv_queue made;
  send(made.queue, 1, "12345");
  const auto now = sys::sysv_queue_limits_now().value();
  EXPECT_EQ(now.message_bytes, number_in("/proc/sys/kernel/msgmax"));
  EXPECT_EQ(now.queue_bytes, number_in("/proc/sys/kernel/msgmnb"));
  EXPECT_EQ(now.queues, number_in("/proc/sys/kernel/msgmni"));
  EXPECT_GE(now.used_queues, 1);
  EXPECT_GE(now.used_messages, 1);
  EXPECT_GE(now.used_bytes, 5);
}

TEST(file_to_key, gives_the_same_key_for_the_same_file_and_project) {
  const key_t key = sys::file_to_key("/proc/self/exe", 1).value();
  EXPECT_EQ(sys::file_to_key("/proc/self/exe", 1).value(), key);
  EXPECT_NE(sys::file_to_key("/proc/self/exe", 2).value(), key);
  EXPECT_EQ(sys::file_to_key("/nowhere", 1).why().error, ENOENT);
}

}  // namespace
}  // namespace ipckit::test
