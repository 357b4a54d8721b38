// Whether the name of an object in shared memory is gone. Nobody is told when it goes, and looking costs a
// system call.
#pragma once

#include "sys/coarse_timer.h"

namespace ipckit::node {

class removal_look {
 public:
  removal_look() { looked_.start(); }

  /// Whether it is gone, as far as was looked: a few times a second at most. Once gone it is gone.
  template <class IsUnlinked>
  bool look(IsUnlinked is_unlinked) {
    if (!removed_ && looked_.passed(look_every_ms)) removed_ = is_unlinked();
    return removed_;
  }

 private:
  /// Rarely enough to cost nothing, often enough that little is done to what nobody finds any more.
  static constexpr int64_t look_every_ms = 250;

  bool removed_ = false;
  sys::coarse_timer looked_;
};

}  // namespace ipckit::node
