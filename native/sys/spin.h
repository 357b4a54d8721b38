// Looking again for a moment before going to sleep, where a thread blocks anyway. A sleep costs 5 to 100 us
// to end, a look less than 1 us: while messages follow each other closely, looking wins. The counterpart for
// a thread that does not block is lib/wait/adaptive-poll.ts, by the same rules.
#pragma once

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

namespace ipckit::sys {

class spin {
 public:
  /// Calls `look` until it returns other than `nothing`, for a moment, where that has paid: what it returned.
  template <class Look>
  int run(int nothing, Look look) {
    started_ = now();
    if (!pays_) return nothing;
    do {
      if (const int found = look(); found != nothing) {
        penalty_ = 1;
        return found;
      }
      // The other end may want this very CPU. Then sleeping hands it over as well, in one system call less.
      const int64_t before = now();
      ::sched_yield();
      if (now() - before > switch_ns) break;
    } while (now() - started_ < budget_ns);
    pays_ = false;
    skips_ = penalty_;
    penalty_ = std::min(penalty_ * 2, most_skips);
    started_ = now();
    return look();
  }

  /// A sleep that began after run() has ended.
  void woken() {
    if (now() - started_ > short_sleep_ns) {
      pays_ = false;
    } else if (skips_ > 0) {
      skips_--;
    } else {
      pays_ = true;
    }
  }

 private:
  /// About what a sleep and wake across CPUs cost. bench/one-to-one, 2026-11.
  static constexpr int64_t budget_ns = 50'000;
  /// A sched_yield(2) that takes longer has run something else in between.
  static constexpr int64_t switch_ns = 1'500;
  /// After a sleep shorter than this, most of which may have been waking up, looking is worth a try.
  static constexpr int64_t short_sleep_ns = 1'000'000;
  /// After many looks in vain, so many short sleeps pass before the next try.
  static constexpr int most_skips = 64;

  static int64_t now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  }

  bool pays_ = false;
  int skips_ = 0;
  int penalty_ = 1;
  int64_t started_ = 0;
};

}  // namespace ipckit::sys
