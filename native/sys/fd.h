// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

#include <utility>

namespace ipckit::sys {

class fd {
 public:
  fd() = default;
  explicit fd(int number) : number_(number) {}
  fd(fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  fd& operator=(fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  fd(const fd&) = delete;
  fd& operator=(const fd&) = delete;
  ~fd() {
    if (number_ >= 0) ::close(number_);
  }

  int get() const { return number_; }
  /// Hands the descriptor to someone else, who closes it.
  int release() { return std::exchange(number_, -1); }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

}  // namespace ipckit::sys
