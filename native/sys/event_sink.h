// Where the waiting threads put what they saw, for the thread that runs JavaScript to take out.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace ipckit::sys {

/// One notice of a waiting thread.
struct event {
  /// Chosen by who asked for it.
  int token;
  /// Depends on who answers: poll events, or 0 or a negative errno.
  int result;
  /// The type of a message that was taken, where that can happen.
  long taken;
};

class event_sink {
 public:
  /// `wake` is called, on the thread that puts, when the sink was empty before.
  explicit event_sink(std::function<void()> wake) : wake_(std::move(wake)) {}

  /// Any thread.
  void put(const event& what) {
    bool was_empty;
    {
      const std::lock_guard lock(mutex_);
      was_empty = events_.empty();
      events_.push_back(what);
    }
    if (!was_empty) return;
    changed_.notify_one();
    wake_();
  }

  /// Takes out everything.
  void take(std::vector<event>& into) {
    into.clear();
    const std::lock_guard lock(mutex_);
    into.swap(events_);
  }

  /// Blocks until there is something to take, at most so long.
  void wait(std::chrono::nanoseconds longest) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, longest, [this] { return !events_.empty(); });
  }

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<event> events_;
};

}  // namespace ipckit::sys
