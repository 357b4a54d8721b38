// What the tests of native/ring and native/sync share: names that nobody else has, and children that report.
#ifndef IPCKIT_TEST_CHILDREN_H
#define IPCKIT_TEST_CHILDREN_H

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#ifdef IPCKIT_COVERAGE
extern "C" void __gcov_dump(void);
#endif

constexpr int64_t kMillisecond = 1000000;
constexpr int64_t kSecond = 1000 * kMillisecond;
// Long enough that only a hang exceeds it.
constexpr int64_t kPatience = 30 * kSecond;

inline std::string random_name() {
  std::random_device random;
  return "/ipckit-test-" + std::to_string(getpid()) + "-" + std::to_string(random()) +
         std::to_string(random());
}

/// Ends a child without what its parent registered.
[[noreturn]] inline void leave(int code) {
#ifdef IPCKIT_COVERAGE
  __gcov_dump();  // what the child ran counts, too
#endif
  _exit(code);
}

/// Runs a function in a child process; what it returns is the exit code.
class Child {
 public:
  explicit Child(const std::function<int()>& run) : pid_(fork()) {
    if (pid_ == 0) leave(run());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      join();
    }
  }
  pid_t pid() const { return pid_; }
  void signal(int number) const { kill(pid_, number); }
  void stop() const {
    int status = 0;
    kill(pid_, SIGSTOP);
    waitpid(pid_, &status, WUNTRACED);
  }
  /// The exit code, or 128 + signal.
  int join() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

/// Lets a child tell its parent that it is somewhere.
class Signpost {
 public:
  Signpost() { EXPECT_EQ(pipe(ends_), 0); }
  Signpost(const Signpost&) = delete;
  Signpost& operator=(const Signpost&) = delete;
  ~Signpost() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void reached() const { EXPECT_EQ(write(ends_[1], "!", 1), 1); }
  void await() const {
    char mark;
    EXPECT_EQ(read(ends_[0], &mark, 1), 1);
  }

 private:
  int ends_[2];
};

/// A child that stays, once it has run a function, until it is killed. The constructor returns when it does.
class Resident : private Signpost, public Child {
 public:
  explicit Resident(const std::function<void()>& run)
      : Child([&] {
          run();
          reached();
          pause();
          return 0;
        }) {
    await();
  }
};

/// Runs a function in a child that is killed right after it. Returns its pid.
inline uint32_t child_dies_after(const std::function<void()>& run) {
  Child child([&] {
    run();
    raise(SIGKILL);
    return 0;
  });
  const auto pid = static_cast<uint32_t>(child.pid());
  EXPECT_EQ(child.join(), 128 + SIGKILL);
  return pid;
}

/// For a child: runs a function in process 1 of a PID namespace, as a container does, which stays there until
/// the child gets SIGTERM. Returns an exit code.
inline int stay_in_namespace(const std::function<void()>& run) {
  if (unshare(CLONE_NEWPID) != 0) return 77;
  const pid_t inner = fork();
  if (inner == 0) {
    run();
    pause();
    _exit(0);
  }
  // Killing the parent does not reach the inner one, so it goes with the signal that ends the wait.
  signal(SIGTERM, [](int) {});
  pause();
  kill(inner, SIGKILL);
  return waitpid(inner, nullptr, 0) == inner ? 0 : 1;
}

#endif
