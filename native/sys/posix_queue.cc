#include "sys/posix_queue.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sys/ready.h"

namespace ipckit::sys {

namespace {

// The C library's functions are cancellation points, which costs a process with threads 10 to 20 ns a call.
// Our descriptors never block, and nobody cancels our threads.
long send_now(int descriptor, const void* bytes, size_t length, unsigned priority) {
  return ::syscall(SYS_mq_timedsend, descriptor, bytes, length, priority, nullptr);
}

ssize_t receive_now(int descriptor, void* buffer, size_t size, unsigned* priority) {
  return ::syscall(SYS_mq_timedreceive, descriptor, buffer, size, priority, nullptr);
}

}  // namespace

outcome<posix_queue> posix_queue::open(const char* name, int oflag, mode_t mode, long capacity,
                                       long message_bytes) {
  mq_attr wanted{};
  wanted.mq_maxmsg = capacity;
  wanted.mq_msgsize = message_bytes;
  const int number = ::mq_open(name, oflag | O_NONBLOCK | O_CLOEXEC, mode, capacity > 0 ? &wanted : nullptr);
  if (number < 0) return last_failure("mq_open");
  fd descriptor(number);
  if ((oflag & O_EXCL) != 0 && ::fchmod(number, mode) != 0) {
    const failure why = last_failure("fchmod");
    ::mq_unlink(name);
    return why;
  }
  mq_attr granted{};
  if (::mq_getattr(number, &granted) != 0) return last_failure("mq_getattr");
  return posix_queue(std::move(descriptor), static_cast<size_t>(granted.mq_msgsize));
}

outcome<nothing> posix_queue::unlink(const char* name) {
  if (::mq_unlink(name) != 0) return last_failure("mq_unlink");
  return nothing{};
}

int posix_queue::send(const void* bytes, size_t length, unsigned priority) {
  if (was_removed()) return -EIDRM;
  while (send_now(descriptor(), bytes, length, priority) != 0) {
    if (errno != EINTR) return -errno;
  }
  return 0;
}

ssize_t posix_queue::receive(void* buffer, size_t size, unsigned* priority) {
  for (;;) {
    const ssize_t length = receive_now(descriptor(), buffer, size, priority);
    if (length >= 0) return length;
    if (errno == EAGAIN && was_removed()) return -EIDRM;
    if (errno != EINTR) return -errno;
  }
}

int posix_queue::wait(short events, const deadline& until) { return wait_for(descriptor(), events, until); }

outcome<posix_queue_status> posix_queue::status() const {
  mq_attr attributes{};
  if (::mq_getattr(descriptor(), &attributes) != 0) return last_failure("mq_getattr");
  struct stat file {};
  if (::fstat(descriptor(), &file) != 0) return last_failure("fstat");
  posix_queue_status status;
  status.flags = attributes.mq_flags;
  status.capacity = attributes.mq_maxmsg;
  status.message_bytes = attributes.mq_msgsize;
  status.depth = attributes.mq_curmsgs;
  status.owner = file.st_uid;
  status.group = file.st_gid;
  status.mode = file.st_mode & 07777;
  status.linked = file.st_nlink > 0;
  return status;
}

// The C library's SIGEV_THREAD hands the kernel a netlink socket, on which the notice arrives as a cookie
// of 32 bytes, and starts a thread per notice. We hand over a socket of our own and poll it: no signal, no
// thread. The library function refuses to be used so; the system call is the same.
outcome<fd> posix_queue::notify() const {
  fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!socket) return last_failure("socket");
  static const char cookie[32] = {};
  sigevent request{};
  request.sigev_notify = SIGEV_THREAD;
  request.sigev_signo = socket.get();
  request.sigev_value.sival_ptr = const_cast<char*>(cookie);
  if (::syscall(SYS_mq_notify, descriptor(), &request) != 0) return last_failure("mq_notify");
  return socket;
}

bool posix_queue::was_taken_back(const fd& notice) {
  // The kernel changes the last byte of the cookie: to 1 for a message, to 2 for the end of the request.
  char cookie[32] = {};
  return ::recv(notice.get(), cookie, sizeof cookie, 0) == sizeof cookie && cookie[sizeof cookie - 1] == 2;
}

outcome<nothing> posix_queue::cancel_notify() const {
  if (::mq_notify(descriptor(), nullptr) != 0) return last_failure("mq_notify");
  return nothing{};
}

outcome<fd> posix_queue_directory() {
#ifdef SYS_fsopen
  fd context(static_cast<int>(::syscall(SYS_fsopen, "mqueue", 1 /* FSOPEN_CLOEXEC */)));
  if (!context) return last_failure("fsopen");
  if (::syscall(SYS_fsconfig, context.get(), 6 /* FSCONFIG_CMD_CREATE */, nullptr, nullptr, 0) != 0) {
    return last_failure("fsconfig");
  }
  fd mount(static_cast<int>(::syscall(SYS_fsmount, context.get(), 1 /* FSMOUNT_CLOEXEC */, 0)));
  if (!mount) return last_failure("fsmount");
  return mount;
#else
  return failure{ENOSYS, "fsopen"};
#endif
}

}  // namespace ipckit::sys
