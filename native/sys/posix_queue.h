// A POSIX message queue: mq_overview(7). The descriptor is always non-blocking, so that no thread ever
// sleeps inside mq_receive with a message half in its hands; whoever must wait polls the descriptor.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "sys/deadline.h"
#include "sys/fd.h"
#include "sys/outcome.h"
#include "sys/removal_look.h"

namespace ipckit::sys {

struct posix_queue_status {
  long flags = 0;
  long capacity = 0;
  long message_bytes = 0;
  long depth = 0;
  uid_t owner = 0;
  gid_t group = 0;
  mode_t mode = 0;
  /// False once the name is gone: mq_unlink(3) leaves the queue to those who have it open.
  bool linked = true;
};

class posix_queue {
 public:
  posix_queue() = default;

  /// mq_open(3) with `oflag` as given, plus O_NONBLOCK and O_CLOEXEC. With O_EXCL the mode is made exact,
  /// whatever the umask. A capacity of 0 leaves both sizes to the kernel's defaults.
  static outcome<posix_queue> open(const char* name, int oflag, mode_t mode, long capacity,
                                   long message_bytes);
  static outcome<nothing> unlink(const char* name);

  /// From now on a queue that was unlinked is a failure, EIDRM: for sending, and for receiving once it is
  /// empty. The kernel would let those who have it open go on with a queue that nobody else can find.
  void heed_removal() { heeds_removal_ = true; }

  /// 0, or the negative errno; EAGAIN when the queue is full.
  int send(const void* bytes, size_t length, unsigned priority);
  /// The length, or the negative errno; EAGAIN when the queue is empty. `size` is at least message_bytes().
  ssize_t receive(void* buffer, size_t size, unsigned* priority);

  /// Blocks until one of `events` (poll(2)) holds: 1; 0 when the deadline has passed; -EINTR after a signal.
  int wait(short events, const deadline& until);

  outcome<posix_queue_status> status() const;
  /// Asks for one notice when a message arrives in the empty queue: mq_notify(3). The returned descriptor
  /// becomes readable then. Closing it does not take the request back; cancel_notify() does.
  outcome<fd> notify() const;
  /// Whether the request whose descriptor this is was taken back instead of answered: the kernel does so when
  /// any descriptor of the queue is closed by the process that asked.
  static bool was_taken_back(const fd& notice);
  outcome<nothing> cancel_notify() const;

  int descriptor() const { return descriptor_.get(); }
  size_t message_bytes() const { return message_bytes_; }

 private:
  posix_queue(fd descriptor, size_t message_bytes)
      : descriptor_(std::move(descriptor)), message_bytes_(message_bytes) {}

  /// Whether the name is gone, as far as was looked.
  bool was_removed() {
    return heeds_removal_ && removed_.look([this] { return is_unlinked(descriptor()); });
  }

  fd descriptor_;
  size_t message_bytes_ = 0;
  bool heeds_removal_ = false;
  removal_look removed_;
};

/// A descriptor of the directory of all queues of this IPC namespace, without a mount at /dev/mqueue:
/// a mount of our own that nobody else sees (fsmount(2)). Needs CAP_SYS_ADMIN and Linux 5.2.
outcome<fd> posix_queue_directory();

}  // namespace ipckit::sys
