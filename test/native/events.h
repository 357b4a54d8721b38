// The other end of an event sink, for tests of what puts events into one.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include "support.h"
#include "sys/event_sink.h"

namespace ipckit::test {

class collected_events {
 public:
  sys::event_sink sink{[this] {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    changed_.notify_one();
  }};

  /// Waits for the next event.
  sys::event next() {
    sys::event first{};
    while (!take(&first)) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return std::exchange(woken_, false); });
    }
    return first;
  }

  /// Whether any event comes within this time.
  bool any_within(std::chrono::milliseconds time) {
    std::this_thread::sleep_for(time);
    sys::event ignored{};
    return take(&ignored);
  }

 private:
  bool take(sys::event* first) {
    if (arrived_.empty()) {
      sink.take(taken_);
      arrived_.assign(taken_.begin(), taken_.end());
    }
    if (arrived_.empty()) return false;
    *first = arrived_.front();
    arrived_.pop_front();
    return true;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  std::vector<sys::event> taken_;
  std::deque<sys::event> arrived_;
};

}  // namespace ipckit::test
