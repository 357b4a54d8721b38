#include "sys/posix_semaphore.h"

#include <sys/stat.h>

#include "support.h"

namespace ipckit::test {
namespace {

using sys::deadline;
using sys::posix_semaphore;
using sys::stop_condition;

const stop_condition never{[](const void*) { return false; }, nullptr};
const stop_condition at_once{[](const void*) { return true; }, nullptr};

class posix_semaphore_test : public testing::Test {
 protected:
  ~posix_semaphore_test() override { ::remove(path.c_str()); }

  posix_semaphore make(unsigned value, mode_t mode = 0600) {
    auto made = posix_semaphore::create(name.c_str(), mode, value);
    EXPECT_TRUE(made.ok()) << made.why().syscall << ": " << std::strerror(made.why().error);
    return std::move(made.value());
  }

  int error_of_open(bool trust_others = false) {
    return posix_semaphore::open(name.c_str(), trust_others).why().error;
  }

  const std::string name =
      "/ipckit-test-" + std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}());
  const std::string path = "/dev/shm/sem." + name.substr(1);
};

TEST_F(posix_semaphore_test, is_one_of_the_c_library) {
  posix_semaphore ours = make(3);
  sem_t* theirs = ::sem_open(name.c_str(), 0);
  ASSERT_NE(theirs, SEM_FAILED);
  EXPECT_EQ(::sem_post(theirs), 0);
  EXPECT_EQ(ours.value(), 4);
  EXPECT_EQ(ours.try_wait(), 0);
  int value = 0;
  ::sem_getvalue(theirs, &value);
  EXPECT_EQ(value, 3);
  ::sem_close(theirs);
}

TEST_F(posix_semaphore_test, opens_one_that_the_c_library_made) {
  sem_t* theirs = ::sem_open(name.c_str(), O_CREAT | O_EXCL, 0600, 7);
  ASSERT_NE(theirs, SEM_FAILED);
  auto opened = posix_semaphore::open(name.c_str(), false);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened.value().value(), 7);
  ::sem_close(theirs);
}

TEST_F(posix_semaphore_test, is_made_once_with_exactly_its_mode) {
  const mode_t before = ::umask(077);
  const posix_semaphore made = make(1, 0640);
  ::umask(before);
  EXPECT_EQ(made.status().value().st_mode & 07777, 0640U);
  EXPECT_EQ(posix_semaphore::create(name.c_str(), 0600, 1).why().error, EEXIST);
}

TEST_F(posix_semaphore_test, refuses_what_was_planted) {
  EXPECT_EQ(error_of_open(), ENOENT);
  ::close(::open(path.c_str(), O_CREAT | O_RDWR, 0600));
  EXPECT_EQ(error_of_open(), EINVAL);
  ::unlink(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(error_of_open(), EINVAL);
  ::unlink(path.c_str());
  ASSERT_EQ(::symlink("/dev/null", path.c_str()), 0);
  EXPECT_EQ(error_of_open(), EINVAL);
  ::unlink(path.c_str());
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  EXPECT_EQ(error_of_open(), EINVAL);
}

TEST_F(posix_semaphore_test, refuses_one_that_everybody_may_write_to_unless_others_are_trusted) {
  (void)make(1, 0666);
  EXPECT_EQ(error_of_open(), EPERM);
  EXPECT_EQ(error_of_open(true), 0);
}

TEST_F(posix_semaphore_test, counts_posts_up_to_the_largest_value) {
  posix_semaphore made = make(SEM_VALUE_MAX - 2);
  EXPECT_EQ(made.post(5), 2);
  EXPECT_EQ(made.post(1), -EOVERFLOW);
}

TEST_F(posix_semaphore_test, waiting_takes_nothing) {
  posix_semaphore made = make(1);
  EXPECT_EQ(made.wait(nullptr, never), 0);
  EXPECT_EQ(made.value(), 1);
}

TEST_F(posix_semaphore_test, waits_until_the_deadline) {
  posix_semaphore made = make(0);
  const auto before = steady::now();
  const deadline until = deadline::in_milliseconds(30);
  EXPECT_EQ(made.wait(&until, never), -ETIMEDOUT);
  EXPECT_GE(steady::now() - before, 30ms);
}

TEST_F(posix_semaphore_test, wakes_every_waiter_of_as_many_posts) {
  posix_semaphore made = make(0);
  std::vector<std::thread> waiters;
  for (int count = 0; count < 4; count++) {
    waiters.emplace_back([waiting = made]() mutable {
      do {
        EXPECT_EQ(waiting.wait(nullptr, never), 0);
      } while (waiting.try_wait() != 0);
    });
  }
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(made.post(4), 4);
  for (std::thread& each : waiters) each.join();
  EXPECT_EQ(made.value(), 0);
}

TEST_F(posix_semaphore_test, passes_a_wake_on_to_a_waiter_of_the_c_library) {
  posix_semaphore made = make(0);
  sem_t* theirs = ::sem_open(name.c_str(), 0);
  std::atomic<bool> woken{false};
  std::thread first([waiting = made, &woken]() mutable {
    EXPECT_EQ(waiting.wait(nullptr, never), 0);
    woken = true;
  });
  std::this_thread::sleep_for(20ms);
  std::thread second([theirs] { EXPECT_EQ(::sem_wait(theirs), 0); });
  std::this_thread::sleep_for(20ms);
  made.post(1);
  // Whichever was woken, the permit is the second's in the end.
  made.pass_on();
  second.join();
  if (!woken) made.post(1);
  first.join();
  ::sem_close(theirs);
}

TEST_F(posix_semaphore_test, a_waiter_that_is_killed_has_taken_nothing) {
  posix_semaphore made = make(0);
  for (int round = 0; round < 20; round++) {
    const pid_t child = ::fork();
    if (child == 0) {
      // Waits, and never tries.
      made.wait(nullptr, never);
      ::pause();
    }
    made.post(1);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_EQ(made.value(), 1);
    EXPECT_EQ(made.try_wait(), 0);
  }
}

TEST_F(posix_semaphore_test, a_signal_ends_a_wait_only_when_it_is_to) {
  posix_semaphore made = make(0);
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &action, nullptr);
  std::atomic<pid_t> thread{0};
  int result = 1;
  std::thread waiter([&] {
    thread = this_thread_id();
    result = made.wait(nullptr, at_once);
  });
  until([&] { return thread != 0 && sleeps_in(::getpid(), thread, SYS_futex); });
  pthread_kill(waiter.native_handle(), SIGUSR1);
  waiter.join();
  EXPECT_EQ(result, -EINTR);
}

TEST_F(posix_semaphore_test, lives_on_after_unlink) {
  posix_semaphore made = make(2);
  EXPECT_TRUE(posix_semaphore::unlink(name.c_str()).ok());
  EXPECT_EQ(made.status().value().st_nlink, 0U);
  EXPECT_EQ(made.value(), 2);
  EXPECT_EQ(posix_semaphore::unlink(name.c_str()).why().error, ENOENT);
}

}  // namespace
}  // namespace ipckit::test
