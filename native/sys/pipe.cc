#include "sys/pipe.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

namespace ipckit::sys {

namespace {

ssize_t write_all_signals(int descriptor, const iovec* pieces, int count) {
  for (;;) {
    const ssize_t written = ::writev(descriptor, pieces, count);
    if (written >= 0) return written;
    if (errno != EINTR) return -errno;
  }
}

/// Whether SIGPIPE would end the process. Node ignores it; a host that embeds us may not.
bool pipe_signal_kills() {
  struct sigaction now {};
  return ::sigaction(SIGPIPE, nullptr, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 &&
         now.sa_handler == SIG_DFL;
}

}  // namespace

ssize_t write_quietly(int descriptor, const iovec* pieces, int count) {
  if (!pipe_signal_kills()) return write_all_signals(descriptor, pieces, count);
  // A pipe knows no MSG_NOSIGNAL: the signal is kept from this thread, and taken out when the write raised
  // it.
  sigset_t pipe_signal;
  sigset_t pending;
  sigset_t before;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t written = write_all_signals(descriptor, pieces, count);
  if (written == -EPIPE && !was_pending) {
    const timespec now{};
    while (::sigtimedwait(&pipe_signal, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return written;
}

outcome<pipe_ends> make_pipe(bool packets) {
  int numbers[2];
  if (::pipe2(numbers, O_CLOEXEC | O_NONBLOCK | (packets ? O_DIRECT : 0)) != 0) return last_failure("pipe2");
  return pipe_ends{pipe_end(fd(numbers[0])), pipe_end(fd(numbers[1]))};
}

ssize_t pipe_end::read(void* buffer, size_t size) {
  for (;;) {
    const ssize_t length = ::read(descriptor(), buffer, size);
    if (length >= 0) return length;
    if (errno != EINTR) return -errno;
  }
}

ssize_t pipe_end::write(const void* bytes, size_t size) {
  const iovec piece{const_cast<void*>(bytes), size};
  return write_quietly(descriptor(), &piece, 1);
}

int pipe_end::wait(short events, const deadline& until) { return wait_for(descriptor(), events, until); }

int pipe_end::poll(short events) const {
  pollfd polled{descriptor(), events, 0};
  if (::poll(&polled, 1, 0) < 0) return -errno;
  return polled.revents;
}

int pipe_end::capacity() const {
  const int bytes = ::fcntl(descriptor(), F_GETPIPE_SZ);
  return bytes < 0 ? -errno : bytes;
}

int pipe_end::set_capacity(int bytes) {
  const int given = ::fcntl(descriptor(), F_SETPIPE_SZ, bytes);
  return given < 0 ? -errno : given;
}

int pipe_end::unread() const {
  int bytes = 0;
  return ::ioctl(descriptor(), FIONREAD, &bytes) != 0 ? -errno : bytes;
}

outcome<int> pipe_end::hand_over() {
  const int flags = ::fcntl(descriptor(), F_GETFL);
  if (flags < 0 || ::fcntl(descriptor(), F_SETFL, flags & ~O_NONBLOCK) != 0) return last_failure("fcntl");
  return descriptor_.release();
}

}  // namespace ipckit::sys
