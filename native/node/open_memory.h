// What a handle on shared memory holds, of whatever kind it is.
#pragma once

#include <memory>

#include "sys/fd.h"
#include "sys/mapping.h"

namespace ipckit::node {

struct open_memory {
  /// Of a POSIX memory; none for a System V segment.
  sys::fd descriptor;
  /// The id of a System V segment, or -1.
  int segment = -1;
  /// Null until it is mapped. The ArrayBuffers that were made of it hold it too.
  std::shared_ptr<sys::mapping> pages;
};

}  // namespace ipckit::node
