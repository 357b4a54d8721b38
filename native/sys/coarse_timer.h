// Tells cheaply whether some time has passed: what handles check now and then, they check by this. 5 ns a
// look.
#pragma once

#include <cstdint>
#include <ctime>

namespace ipckit::sys {

class coarse_timer {
 public:
  /// Whether `milliseconds` have passed since start() or the last time that this was true.
  bool passed(int64_t milliseconds) {
    const int64_t now = now_milliseconds();
    if (now - started_ <= milliseconds) return false;
    started_ = now;
    return true;
  }

  void start() { started_ = now_milliseconds(); }

  /// Starts anew: the milliseconds since it was started last.
  int64_t restart() {
    const int64_t before = started_;
    start();
    return started_ - before;
  }

 private:
  // Exact to a tick of the kernel, 1 to 10 ms.
  static int64_t now_milliseconds() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return static_cast<int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000;
  }

  int64_t started_ = 0;
};

}  // namespace ipckit::sys
