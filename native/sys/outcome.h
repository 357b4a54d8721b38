// The result of an operation that can fail: a value, or the errno of the system call that failed.
// Everything in sys/ that opens or reads an object returns one; nothing in sys/ throws.
#pragma once

#include <cerrno>
#include <utility>

namespace ipckit::sys {

/// The errno (positive) and the name of the system call that set it, as its manual page is named.
struct failure {
  int error;
  const char* syscall;
};

/// The failure of the system call that has just returned.
inline failure last_failure(const char* syscall) { return {errno, syscall}; }

template <class T>
class [[nodiscard]] outcome {
 public:
  outcome(T value) : value_(std::move(value)), failure_{0, nullptr} {}
  outcome(failure why) : value_{}, failure_(why) {}

  bool ok() const { return failure_.error == 0; }
  T& value() { return value_; }
  const T& value() const { return value_; }
  const failure& why() const { return failure_; }

 private:
  T value_;
  failure failure_;
};

/// What an operation without a value succeeds with.
struct nothing {};

}  // namespace ipckit::sys
