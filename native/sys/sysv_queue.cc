#include "sys/sysv_queue.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace ipckit::sys {

namespace {

/// msgctl(2)'s MSG_STAT_ANY (Linux 4.17) takes the kernel's slot of a queue, which is the low bits of its
/// id, and asks for no read permission.
constexpr int stat_any = 13;
constexpr int slot_bits = 15;

/// A queue cannot be removed and its id come round again in this time: that takes 4,194,240 creations
/// (64 * 65535) of at least two system calls each, several seconds at the least.
constexpr int64_t tolerated_rest_ms = 250;

// The C library's functions are cancellation points, which costs a process with threads 10 to 20 ns a call.
// These calls never block, and nobody cancels our threads. Where one system call serves all of System V,
// there are no others.
long send_now(int id, const void* message, size_t length) {
#ifdef SYS_msgsnd
  return ::syscall(SYS_msgsnd, id, message, length, IPC_NOWAIT);
#else
  return ::msgsnd(id, message, length, IPC_NOWAIT);
#endif
}

ssize_t receive_now(int id, void* message, size_t size, long type, int flags) {
#ifdef SYS_msgrcv
  return ::syscall(SYS_msgrcv, id, message, size, type, flags | IPC_NOWAIT);
#else
  return ::msgrcv(id, message, size, type, flags | IPC_NOWAIT);
#endif
}

int control(int id, int command, void* buffer) {
  return ::msgctl(id, command, static_cast<msqid_ds*>(buffer));
}

}  // namespace

outcome<int> sysv_queue::get(key_t key, int flags) {
  const int id = ::msgget(key, flags);
  if (id < 0) return last_failure("msgget");
  return id;
}

outcome<sysv_queue> sysv_queue::attach(int id) {
  sysv_queue queue;
  queue.id_ = id;
  const outcome<msqid_ds> status = queue.status();
  if (status.ok()) {
    queue.identity_ = identify(status.value());
    queue.identified_ = true;
  } else if (status.why().error != EACCES) {
    return status.why();
  }
  queue.used_.start();
  return queue;
}

outcome<msqid_ds> sysv_queue::status() const {
  msqid_ds status{};
  if (control(id_, IPC_STAT, &status) == 0) return status;
  const failure why = last_failure("msgctl");
  if (why.error != EACCES) return why;
  // Who may only send may not IPC_STAT. The slot is looked up without permission; the id that comes back
  // tells whether it was the right one.
  const int slot = id_ & ((1 << slot_bits) - 1);
  if (control(slot, stat_any, &status) == id_) return status;
  return why;
}

sysv_queue::identity sysv_queue::identify(const msqid_ds& status) {
  const ipc_perm& permissions = status.msg_perm;
  return {permissions.__key, permissions.cuid,  permissions.cgid, permissions.uid,  permissions.gid,
          permissions.mode,  status.msg_qbytes, status.msg_ctime, status.msg_stime, status.msg_rtime};
}

// The time of change moves with IPC_SET too, which must not be taken for a new queue. A new queue has no
// last send and no last receive from before its creation; and an IPC_SET changes what it sets, or, when it
// sets what was there already, leaves a queue that the key still leads to. (A new queue of that key, with
// that id and alike in all, would be taken for the old one; who opens the key anew gets it too.)
bool sysv_queue::is_same_queue(const identity& now) const {
  const identity& then = identity_;
  if ((has_sent_ && now.sent == 0) || (has_received_ && now.received == 0)) return false;
  if (now.key != then.key || now.creator != then.creator || now.creator_group != then.creator_group)
    return false;
  if (now.sent < then.sent || now.received < then.received) return false;
  if (now.changed == then.changed) return true;
  const bool kept_history =
      (now.sent != 0 && now.sent < now.changed) || (now.received != 0 && now.received < now.changed);
  const bool was_set = now.owner != then.owner || now.group != then.group || now.mode != then.mode ||
                       now.queue_bytes != then.queue_bytes;
  return kept_history || was_set || (now.key != IPC_PRIVATE && ::msgget(now.key, 0) == id_);
}

int sysv_queue::check_identity() {
  if (recycled_) return -ESTALE;
  const bool rested = used_.restart() > tolerated_rest_ms;
  if (!rested || !identified_) return 0;
  const outcome<msqid_ds> found = status();
  if (!found.ok()) return 0;  // The call itself will say what is wrong, in its own words.
  const identity current = identify(found.value());
  recycled_ = !is_same_queue(current);
  if (recycled_) return -ESTALE;
  identity_ = current;
  return 0;
}

int sysv_queue::send(const void* message, size_t length) {
  if (const int stale = check_identity(); stale != 0) return stale;
  while (send_now(id_, message, length) != 0) {
    if (errno != EINTR) return -errno;
  }
  has_sent_ = true;
  return 0;
}

ssize_t sysv_queue::receive(void* message, size_t size, message_selector selector, int flags) {
  if (const int stale = check_identity(); stale != 0) return stale;
  for (;;) {
    const ssize_t length = receive_now(id_, message, size, selector.type, selector.flags | flags);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return -errno;
    // A copy is not received, as the kernel counts.
    if ((flags & MSG_COPY) == 0) has_received_ = true;
    return length;
  }
}

int sysv_queue::wait_to_receive(message_selector selector, const stop_condition& stop, long* taken) {
  if (const int stale = check_identity(); stale != 0) return stale;
  message_header header{};
  while (::msgrcv(id_, &header, 0, selector.type, selector.flags) < 0) {
    const int error = errno;
    if (error != EINTR || stop.holds()) return -error;
  }
  *taken = header.type;
  return 0;
}

int sysv_queue::wait_to_send(const void* message, size_t length, const stop_condition& stop) {
  if (const int stale = check_identity(); stale != 0) return stale;
  while (::msgsnd(id_, message, length, 0) != 0) {
    const int error = errno;
    if (error != EINTR || stop.holds()) return -error;
  }
  return 0;
}

outcome<nothing> sysv_queue::set(uid_t owner, gid_t group, mode_t mode, unsigned long queue_bytes) {
  if (const int stale = check_identity(); stale != 0) return failure{-stale, "msgctl"};
  msqid_ds wanted{};
  wanted.msg_perm.uid = owner;
  wanted.msg_perm.gid = group;
  wanted.msg_perm.mode = static_cast<unsigned short>(mode);
  wanted.msg_qbytes = queue_bytes;
  if (control(id_, IPC_SET, &wanted) != 0) return last_failure("msgctl");
  if (const outcome<msqid_ds> now = status(); now.ok()) identity_ = identify(now.value());
  return nothing{};
}

outcome<nothing> sysv_queue::remove() {
  if (const int stale = check_identity(); stale != 0) return failure{-stale, "msgctl"};
  if (control(id_, IPC_RMID, nullptr) != 0) return last_failure("msgctl");
  return nothing{};
}

outcome<sysv_queue_limits> sysv_queue_limits_now() {
  msginfo limits{};
  if (control(0, IPC_INFO, &limits) < 0) return last_failure("msgctl");
  msginfo usage{};
  if (control(0, MSG_INFO, &usage) < 0) return last_failure("msgctl");
  sysv_queue_limits now;
  now.message_bytes = limits.msgmax;
  now.queue_bytes = limits.msgmnb;
  now.queues = limits.msgmni;
  now.used_queues = usage.msgpool;
  now.used_messages = usage.msgmap;
  now.used_bytes = usage.msgtql;
  return now;
}

outcome<key_t> file_to_key(const char* path, int project) {
  const key_t key = ::ftok(path, project);
  if (key == -1) return last_failure("ftok");
  return key;
}

}  // namespace ipckit::sys
