// Blocking until a descriptor is ready.
#pragma once

#include <poll.h>

#include <cerrno>

#include "sys/deadline.h"

namespace ipckit::sys {

/// Blocks until one of `events` (poll(2)) holds: 1; 0 when the deadline has passed; -errno, of which -EINTR
/// tells of a signal.
inline int wait_for(int descriptor, short events, const deadline& until) {
  pollfd polled{descriptor, events, 0};
  const timespec left = until.remaining_timespec();
  const int ready = ::ppoll(&polled, 1, &left, nullptr);
  return ready < 0 ? -errno : ready;
}

}  // namespace ipckit::sys
