// One end of a pipe or FIFO, as bytes: pipe(7). The descriptor is always non-blocking; whoever must wait
// polls it. Writing into a pipe that nobody reads is EPIPE and nothing else: no signal is ever raised by it.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>

#include "sys/deadline.h"
#include "sys/fd.h"
#include "sys/outcome.h"
#include "sys/ready.h"

namespace ipckit::sys {

class pipe_end {
 public:
  pipe_end() = default;
  explicit pipe_end(fd descriptor) : descriptor_(std::move(descriptor)) {}

  /// What is there, at most `size` bytes; 0 when there is nothing and nobody has the pipe open for writing;
  /// the negative errno, EAGAIN when there is nothing yet.
  ssize_t read(void* buffer, size_t size);
  /// How much had room; the negative errno, EAGAIN when nothing had, EPIPE when nobody has the pipe open for
  /// reading. Up to PIPE_BUF bytes go whole or not at all.
  ssize_t write(const void* bytes, size_t size);

  /// Blocks until one of `events` (poll(2)) holds: 1; 0 when the deadline has passed; -EINTR after a signal.
  int wait(short events, const deadline& until);
  /// What poll(2) says now, of `events` and of those that need not be asked for.
  int poll(short events) const;

  /// F_GETPIPE_SZ: bytes, or the negative errno.
  int capacity() const;
  /// F_SETPIPE_SZ: the bytes that the kernel gave, at least so many; or the negative errno.
  int set_capacity(int bytes);
  /// FIONREAD: bytes that nobody has read yet, or the negative errno.
  int unread() const;

  int descriptor() const { return descriptor_.get(); }
  /// Gives the descriptor away, in blocking mode, as other programs expect theirs; the taker closes it.
  outcome<int> hand_over();

 private:
  fd descriptor_;
};

struct pipe_ends {
  pipe_end reading;
  pipe_end writing;
};

/// pipe2(2), close-on-exec. `packets`: every write of up to PIPE_BUF bytes is read as a piece of its own.
outcome<pipe_ends> make_pipe(bool packets);

/// writev(2) that raises no SIGPIPE; retried after signals. The number of bytes, or the negative errno.
ssize_t write_quietly(int descriptor, const iovec* pieces, int count);

}  // namespace ipckit::sys
