// A named POSIX semaphore: sem_overview(7). Opening does what sem_open(3) does, but looks at the file before
// it is mapped: sem_open(3) maps a file of 0 bytes that somebody planted, and the first operation dies of
// SIGBUS.
//
// What waits here takes nothing: it sleeps until the value is above 0, and whoever asked tries then. A waiter
// may be killed at any time and no permit is lost.
#pragma once

#include <semaphore.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <atomic>
#include <string>
#include <utility>

#include "sys/deadline.h"
#include "sys/fd.h"
#include "sys/outcome.h"
#include "sys/stop_condition.h"

namespace ipckit::sys {

/// Where the C library keeps named semaphores, and what it puts before the name.
inline constexpr char semaphore_folder[] = "/dev/shm";
#ifdef __GLIBC__
inline constexpr char semaphore_prefix[] = "sem.";
#else
inline constexpr char semaphore_prefix[] = "";
#endif

class posix_semaphore {
 public:
  posix_semaphore() = default;
  posix_semaphore(const posix_semaphore& other);
  posix_semaphore(posix_semaphore&& other) noexcept : mapped_(std::exchange(other.mapped_, nullptr)) {}
  posix_semaphore& operator=(posix_semaphore other) noexcept {
    std::swap(mapped_, other.mapped_);
    return *this;
  }
  ~posix_semaphore();

  /// Opens one that exists. Fails with EPERM when another user could truncate it under us (who owns it,
  /// unless that is root, and everybody where its mode lets everybody write), unless others are trusted; with
  /// EINVAL when the file is no semaphore.
  static outcome<posix_semaphore> open(const char* name, bool trust_others);
  /// Makes one: EEXIST when there is one already. The mode is exact, whatever the umask. Nobody ever sees one
  /// that is half made.
  static outcome<posix_semaphore> create(const char* name, mode_t mode, unsigned value);
  static outcome<nothing> unlink(const char* name);

  /// sem_trywait(3): 0, or -EAGAIN.
  int try_wait();
  /// sem_post(3), so many times: how many were done, or -EOVERFLOW when not even the first.
  int post(int count);
  /// sem_getvalue(3).
  int value();

  /// Sleeps until the value was above 0: 0; -ETIMEDOUT; or -EINTR when the condition holds after a signal.
  /// Without a deadline it sleeps on.
  int wait(const deadline* until, const stop_condition& stop);
  /// Who was woken and takes nothing wakes the next, in whatever process: a post wakes one waiter only.
  void pass_on();

  /// What fstat(2) tells of its file; st_nlink is 0 when it was unlinked.
  outcome<struct stat> status() const;

 private:
  struct mapping {
    fd file;
    sem_t* semaphore;
    std::atomic<int> users{1};
  };

  static outcome<posix_semaphore> map(fd file);

  /// Shared with the threads that wait: the memory goes when the last of them has left it. Counted here, as
  /// the sanitizers take a std::shared_ptr of a library without RTTI for a broken one.
  mapping* mapped_ = nullptr;
};

}  // namespace ipckit::sys
