// A System V message queue: sysvipc(7). It has no descriptor, so waiting is a blocked system call; what
// waits here holds no message: a zero-sized msgrcv(2) sleeps until a matching message is there, fails with
// E2BIG and leaves the message in the queue. A waiter may be killed at any time and loses nothing.
#pragma once

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

#include "sys/coarse_timer.h"
#include "sys/outcome.h"
#include "sys/stop_condition.h"

namespace ipckit::sys {

/// The layout that msgsnd(2) and msgrcv(2) want: the type, then the text.
struct message_header {
  long type;
};

/// What a receiver wants: msgrcv(2)'s msgtyp, and MSG_EXCEPT.
struct message_selector {
  long type = 0;
  int flags = 0;
};

struct sysv_queue_limits {
  /// Largest message, bytes: kernel.msgmax.
  long message_bytes = 0;
  /// Default size of a new queue, bytes: kernel.msgmnb.
  long queue_bytes = 0;
  /// Queues in this namespace: kernel.msgmni.
  long queues = 0;
  long used_queues = 0;
  long used_messages = 0;
  long used_bytes = 0;
};

class sysv_queue {
 public:
  sysv_queue() = default;

  /// msgget(2): the id.
  static outcome<int> get(key_t key, int flags);
  /// A handle on the queue of that id. It remembers which queue this is, as ids are used again.
  static outcome<sysv_queue> attach(int id);

  /// 0, or the negative errno; EAGAIN when the queue is full. `message` begins with a message_header.
  int send(const void* message, size_t length);
  /// The length, or the negative errno; ENOMSG when no message matches, E2BIG when it does not fit in
  /// `size`. `flags` may hold MSG_NOERROR and MSG_COPY beside the selector's own.
  ssize_t receive(void* message, size_t size, message_selector selector, int flags);

  /// Blocks until a message that matches is in the queue: -E2BIG. A message without text cannot be left
  /// there: it is taken, and the result is 0 with its type in `taken`. Any other result is an errno.
  int wait_to_receive(message_selector selector, const stop_condition& stop, long* taken);
  /// Blocks until the message is in the queue: 0, or the negative errno; nothing was sent then.
  int wait_to_send(const void* message, size_t length, const stop_condition& stop);

  /// 0, or -ESTALE when the id belongs to another queue by now. Looks only when the handle has rested: an
  /// id comes round after four million others, which takes far longer than the rest that is tolerated.
  /// Every call but status() begins with it.
  int check_identity();

  outcome<msqid_ds> status() const;
  /// IPC_SET of msgctl(2): owner, group, mode and size limit, all four at once as the kernel takes them.
  outcome<nothing> set(uid_t owner, gid_t group, mode_t mode, unsigned long queue_bytes);
  outcome<nothing> remove();

  int id() const { return id_; }

 private:
  /// Which queue an id meant when it was attached. A recycled id differs in at least one of these.
  struct identity {
    key_t key;
    uid_t creator;
    gid_t creator_group;
    uid_t owner;
    gid_t group;
    mode_t mode;
    unsigned long queue_bytes;
    time_t changed;
    time_t sent;
    time_t received;
  };

  static identity identify(const msqid_ds& status);
  bool is_same_queue(const identity& now) const;
  int id_ = -1;
  bool identified_ = false;
  /// What this handle did itself; the queue remembers it.
  bool has_sent_ = false;
  bool has_received_ = false;
  bool recycled_ = false;
  identity identity_{};
  coarse_timer used_;
};

outcome<sysv_queue_limits> sysv_queue_limits_now();

/// ftok(3).
outcome<key_t> file_to_key(const char* path, int project);

}  // namespace ipckit::sys
