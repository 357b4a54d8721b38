// Hearing that the name of an object has gone, for queues whose kernel tells nobody: inotify(7).
#pragma once

#include <sys/inotify.h>

#include <string>

#include "node/environment.h"

namespace ipckit::node {

/// Adds a watch of the object that has this descriptor and asks for an event of the token, which says that it
/// may have been unlinked: the number of the watch, or -errno.
inline int watch_removal(environment& self, int descriptor, int32_t token) {
  if (!self.removals) {
    self.removals = sys::fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!self.removals) return -errno;
  }
  // The link of the descriptor leads to the object itself, also where the mqueue file system is not mounted.
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  const int watch = ::inotify_add_watch(self.removals.get(), path.c_str(), IN_ATTRIB);
  if (watch < 0) return -errno;
  const int armed = self.arm(token, self.removals.get(), false);
  return armed == 0 ? watch : armed;
}

}  // namespace ipckit::node
