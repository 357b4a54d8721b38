// A point in time until which a call may wait. Monotonic: a step of the wall clock moves no deadline.
#pragma once

#include <cstdint>
#include <ctime>

namespace ipckit::sys {

class deadline {
 public:
  static deadline in_milliseconds(double milliseconds) {
    return deadline(now() + static_cast<int64_t>(milliseconds * 1e6));
  }

  bool expired() const { return now() >= nanoseconds_; }

  /// Nanoseconds left, never negative.
  int64_t remaining() const {
    const int64_t left = nanoseconds_ - now();
    return left > 0 ? left : 0;
  }

  timespec remaining_timespec() const {
    const int64_t left = remaining();
    return {left / 1'000'000'000, left % 1'000'000'000};
  }

 private:
  explicit deadline(int64_t nanoseconds) : nanoseconds_(nanoseconds) {}

  static int64_t now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  }

  int64_t nanoseconds_;
};

}  // namespace ipckit::sys
