// A call that blocks the thread that runs JavaScript at a word of shared memory, for one slice of time.
#pragma once

#include "node/environment.h"
#include "sys/futex_waits.h"

namespace ipckit::node {

/// Blocks until trying may be worth it: 1; 0 when it was not in time; -EINTR after a signal that ends waits;
/// or negative.
int block_at(environment& self, sys::futex_source& source, double milliseconds);

}  // namespace ipckit::node
