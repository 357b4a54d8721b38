#include "sys/sysv_semaphore.h"

#include "support.h"

namespace ipckit::test {
namespace {

using sys::deadline;
using sys::stop_condition;
using sys::sysv_semaphore_set;

const stop_condition never{[](const void*) { return false; }, nullptr};

class sysv_semaphore_test : public testing::Test {
 protected:
  sysv_semaphore_test() : id(sysv_semaphore_set::get(IPC_PRIVATE, 2, 0600).value()) {
    set = sysv_semaphore_set::attach(id).value();
  }
  ~sysv_semaphore_test() override { ::semctl(id, 0, IPC_RMID); }

  void expect_values(int first, int second) {
    EXPECT_EQ(set.query(0, GETVAL), first);
    EXPECT_EQ(set.query(1, GETVAL), second);
  }

  const int id;
  sysv_semaphore_set set;
};

TEST_F(sysv_semaphore_test, does_all_operations_or_none) {
  const sembuf both[] = {{0, 3, 0}, {1, 1, 0}};
  EXPECT_EQ(set.operate(both, 2), 0);
  const sembuf too_much[] = {{0, -1, 0}, {1, -2, 0}};
  EXPECT_EQ(set.operate(too_much, 2), -EAGAIN);
  expect_values(3, 1);
}

TEST_F(sysv_semaphore_test, takes_back_exactly_what_was_done) {
  set.set_value(0, 5);
  const sembuf done[] = {{0, -2, SEM_UNDO}, {1, 0, 0}, {1, 4, 0}};
  EXPECT_EQ(set.operate(done, 3), 0);
  expect_values(3, 4);
  EXPECT_EQ(set.take_back(done, 3), 0);
  expect_values(5, 0);
}

TEST_F(sysv_semaphore_test, waits_until_it_can_and_until_the_deadline) {
  const sembuf take{0, -1, 0};
  const auto before = steady::now();
  const deadline until = deadline::in_milliseconds(30);
  EXPECT_EQ(set.wait(&take, 1, &until, never), -ETIMEDOUT);
  EXPECT_GE(steady::now() - before, 30ms);
  std::thread waiter(
      [waiting = set, take]() mutable { EXPECT_EQ(waiting.wait(&take, 1, nullptr, never), 0); });
  test::until([&] { return set.query(0, GETNCNT) == 1; });
  const sembuf give{0, 1, 0};
  EXPECT_EQ(set.operate(&give, 1), 0);
  waiter.join();
  expect_values(0, 0);
}

TEST_F(sysv_semaphore_test, reports_the_removal_to_who_waits) {
  std::thread waiter([waiting = set]() mutable {
    const sembuf take{0, -1, 0};
    EXPECT_EQ(waiting.wait(&take, 1, nullptr, never), -EIDRM);
  });
  until([&] { return set.query(0, GETNCNT) == 1; });
  EXPECT_TRUE(set.remove().ok());
  waiter.join();
  EXPECT_EQ(set.query(0, GETVAL), -EINVAL);
}

// The kernel shares the account of SEM_UNDO among the threads that pthread_create(3) makes (CLONE_SYSVSEM).
TEST_F(sysv_semaphore_test, what_a_thread_did_is_undone_with_the_process_and_not_with_the_thread) {
  set.set_value(0, 1);
  int told[2];
  int asked[2];
  ASSERT_EQ(::pipe(told), 0);
  ASSERT_EQ(::pipe(asked), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::thread([this] {
      const sembuf take{0, -1, SEM_UNDO};
      set.wait(&take, 1, nullptr, never);
    }).join();
    char byte = 0;
    (void)!::write(told[1], &byte, 1);
    (void)!::read(asked[0], &byte, 1);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(told[0], &byte, 1), 1);
  // The thread has ended, the process lives.
  EXPECT_EQ(set.query(0, GETVAL), 0);
  ASSERT_EQ(::write(asked[1], &byte, 1), 1);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(set.query(0, GETVAL), 1);
  for (const int each : {told[0], told[1], asked[0], asked[1]}) ::close(each);
}

TEST_F(sysv_semaphore_test, sets_and_reads_all_values_at_once) {
  std::vector<unsigned short> values{7, 32767};
  EXPECT_EQ(set.set_values(values), 0);
  std::vector<unsigned short> read(2);
  EXPECT_EQ(set.values(read), 0);
  EXPECT_EQ(read, values);
  values[0] = 32768;
  EXPECT_EQ(set.set_values(values), -ERANGE);
}

TEST_F(sysv_semaphore_test, is_refused_where_there_is_none) {
  EXPECT_TRUE(set.remove().ok());
  EXPECT_EQ(sysv_semaphore_set::attach(id).why().error, EINVAL);
}

TEST_F(sysv_semaphore_test, tells_the_limits_and_how_much_is_used) {
  const auto limits = sys::sysv_semaphore_limits_now();
  ASSERT_TRUE(limits.ok());
  EXPECT_EQ(limits.value().set_size, number_in("/proc/sys/kernel/sem"));
  EXPECT_EQ(limits.value().value, 32767);
  EXPECT_GE(limits.value().used_sets, 1);
  EXPECT_GE(limits.value().used_semaphores, 2);
}

}  // namespace
}  // namespace ipckit::test
