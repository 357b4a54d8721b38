#include "node/futex_block.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "sys/deadline.h"

namespace ipckit::node {

int block_at(environment& self, sys::futex_source& source, double milliseconds) {
  const sys::deadline until = sys::deadline::in_milliseconds(milliseconds);
  for (;;) {
    // A signal that came before this call, or too early to interrupt it, ends it too.
    if (self.is_interrupted()) return -EINTR;
    sys::futex_word word{};
    int64_t bound = 0;
    if (!source.arm(&word, &bound)) return 1;
    const int64_t left = until.remaining();
    const int64_t sleep = std::min(bound, left);
    const timespec longest{static_cast<time_t>(sleep / 1'000'000'000),
                           static_cast<long>(sleep % 1'000'000'000)};
    const long slept = ::syscall(SYS_futex, word.address, FUTEX_WAIT, word.expected, &longest, nullptr, 0);
    const int error = slept < 0 ? errno : 0;
    // Also at the end, since callers wait in slices that are shorter than the bound.
    if (error == ETIMEDOUT) source.sweep();
    if (error == ETIMEDOUT && left <= bound) {
      source.disarm();
      return 0;
    }
    if (error == 0) return 1;
    if (error != EAGAIN && error != EINTR && error != ETIMEDOUT) return -error;
  }
}

}  // namespace ipckit::node
