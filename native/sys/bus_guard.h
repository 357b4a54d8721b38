// Keeps the process alive when another one truncates a file that is mapped here: the kernel answers the next
// access with SIGBUS. For ranges that are guarded, and no others, the handler lays zeros over the range and
// notes it; the access goes on and reads 0. Faults elsewhere go to whoever handled SIGBUS before.
#pragma once

#include <cstddef>
#include <utility>

#include "sys/outcome.h"

namespace ipckit::sys {

struct guarded_range;

/// Guards a range for as long as it lives. The memory may be touched from any thread; the guard itself
/// belongs to one, and must go before the range is unmapped.
class bus_guard {
 public:
  bus_guard() = default;
  bus_guard(bus_guard&& other) noexcept : range_(std::exchange(other.range_, nullptr)) {}
  bus_guard& operator=(bus_guard&& other) noexcept {
    std::swap(range_, other.range_);
    return *this;
  }
  bus_guard(const bus_guard&) = delete;
  bus_guard& operator=(const bus_guard&) = delete;
  ~bus_guard();

  /// `begin` is the beginning of a page, and the range ends with one; no two guarded ranges overlap.
  static outcome<bus_guard> watch(void* begin, size_t length);

  /// Whether the range was lost: from then on it holds zeros, in this process alone. Any thread.
  bool struck() const;

 private:
  explicit bus_guard(guarded_range* range) : range_(range) {}
  guarded_range* range_ = nullptr;
};

}  // namespace ipckit::sys
