// Whether the name of an object is gone. Nobody is told when it goes, and looking costs a system call.
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "sys/coarse_timer.h"

namespace ipckit::sys {

/// Whether the file of the descriptor has no name any more.
inline bool is_unlinked(int descriptor) {
  struct stat file {};
  return ::fstat(descriptor, &file) == 0 && file.st_nlink == 0;
}

class removal_look {
 public:
  /// For an object whose name was just seen: the first look is a while away.
  static removal_look after_a_while() {
    removal_look look;
    look.looked_.start();
    return look;
  }

  /// Whether it is gone, as far as was looked: a few times a second at most. Once gone it is gone.
  template <class IsGone>
  bool look(IsGone is_gone) {
    if (!removed_ && looked_.passed(look_every_ms)) removed_ = is_gone();
    return removed_;
  }

  /// The same, as it is now.
  template <class IsGone>
  bool look_now(IsGone is_gone) {
    removed_ = removed_ || is_gone();
    return removed_;
  }

 private:
  /// Rarely enough to cost nothing, often enough that little is done to what nobody finds any more.
  static constexpr int64_t look_every_ms = 250;

  bool removed_ = false;
  coarse_timer looked_;
};

}  // namespace ipckit::sys
