// Hearing that the name of an object has gone, for queues whose kernel tells nobody: inotify(7).
#pragma once

#include <sys/epoll.h>
#include <sys/inotify.h>

#include "node/environment.h"

namespace ipckit::node {

/// Adds a watch of `object` and asks for an event of the token: the number of the watch, or -errno.
template <class Object>
int watch_removal(environment& self, const Object& object, int32_t token) {
  if (!self.removals) {
    self.removals = sys::fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!self.removals) return -errno;
  }
  const int watch = object.watch_removal(self.removals.get());
  if (watch < 0) return watch;
  const sys::outcome<sys::nothing> armed = self.waits.polls.arm(token, self.removals.get(), EPOLLIN);
  return armed.ok() ? watch : -armed.why().error;
}

}  // namespace ipckit::node
