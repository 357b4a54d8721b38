// What several tests of sys/ need: names that nobody else has, queues that do not outlive a test, signals
// that rain on a thread, and processes to be killed.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "sys/posix_queue.h"
#include "sys/sysv_queue.h"

namespace ipckit::test {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

/// Waits for a condition. The watchdog of ctest ends a wait that never does.
inline void until(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::sleep_for(1ms);
}

/// The first number in a file of /proc.
inline long number_in(const char* path) {
  long number = -1;
  std::ifstream(path) >> number;
  return number;
}

/// Whether the thread sleeps in the system call: "47 0x3 …" is what /proc tells of one that does.
inline bool sleeps_in(pid_t process, pid_t thread, long call) {
  const std::string task = "/proc/" + std::to_string(process) + "/task/" + std::to_string(thread);
  return number_in((task + "/syscall").c_str()) == call;
}

inline pid_t this_thread_id() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

/// A POSIX queue under a name of its own.
struct scoped_posix_queue {
  explicit scoped_posix_queue(long capacity = 10, long message_bytes = 64) {
    auto opened =
        sys::posix_queue::open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, capacity, message_bytes);
    EXPECT_TRUE(opened.ok()) << opened.why().syscall << ": " << std::strerror(opened.why().error);
    queue = std::move(opened.value());
  }
  ~scoped_posix_queue() { (void)sys::posix_queue::unlink(name.c_str()); }

  const std::string name =
      "/ipckit-test-" + std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}());
  sys::posix_queue queue;
};

/// A private System V queue.
struct scoped_sysv_queue {
  scoped_sysv_queue() : id(sys::sysv_queue::get(IPC_PRIVATE, 0600).value()) {
    queue = sys::sysv_queue::attach(id).value();
  }
  ~scoped_sysv_queue() { ::msgctl(id, IPC_RMID, nullptr); }

  const int id;
  sys::sysv_queue queue;
};

/// A System V message: what msgsnd(2) wants in memory.
struct message {
  long type;
  char text[8192];
};

/// Signals that do nothing but interrupt, sent without pause to the thread that made the storm.
class interrupt_storm {
 public:
  interrupt_storm() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    sender_ = std::thread([this, target = ::pthread_self()] {
      while (!over_) {
        ::pthread_kill(target, SIGUSR1);
        count_++;
        std::this_thread::sleep_for(50us);
      }
    });
  }
  ~interrupt_storm() {
    over_ = true;
    sender_.join();
  }

  int count() const { return count_; }

 private:
  std::atomic<bool> over_{false};
  std::atomic<int> count_{0};
  std::thread sender_;
};

/// Another process. Its body never returns into the test.
class child_process {
 public:
  explicit child_process(const std::function<void()>& body) : pid_(::fork()) {
    if (pid_ != 0) return;
    body();
    ::_exit(0);
  }
  ~child_process() { (void)end(SIGKILL); }

  pid_t pid() const { return pid_; }
  void await_sleep_in(long call) const {
    until([&] { return sleeps_in(pid_, pid_, call); });
  }
  void kill(int signal) const { ::kill(pid_, signal); }
  /// The status of waitpid(2), after a signal if one is given.
  int end(int signal = 0) {
    if (pid_ < 0) return 0;
    if (signal != 0) kill(signal);
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }

 private:
  pid_t pid_;
};

}  // namespace ipckit::test
