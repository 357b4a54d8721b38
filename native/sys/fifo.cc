#include "sys/fifo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ipckit::sys {

namespace {

bool is_same(const struct stat& one, const struct stat& other) {
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool is_welcome(uid_t owner, const fifo_owner& wanted) {
  if (wanted.any) return true;
  if (wanted.is_given) return owner == wanted.uid;
  return owner == 0 || owner == ::geteuid();
}

/// The FIFO; EAGAIN when the name was given to something else between the look and the opening.
outcome<fd> try_to_open(const char* path, int access, const fifo_owner& owner) {
  // A device that is put there could do anything when it is opened: first only a look at what it is.
  fd look(::open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!look) return last_failure("open");
  struct stat file {};
  if (::fstat(look.get(), &file) != 0) return last_failure("fstat");
  if (S_ISLNK(file.st_mode)) return failure{ELOOP, "open"};
  if (!S_ISFIFO(file.st_mode)) return failure{ENOTSUP, "open"};
  if (!is_welcome(file.st_uid, owner)) return failure{EPERM, "open"};
  if (access == O_PATH) return look;
  fd opened;
  do {
    opened = fd(::open(path, access | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY));
  } while (!opened && errno == EINTR);
  if (!opened) return last_failure("open");
  // The name may have been given to something else in between.
  struct stat again {};
  if (::fstat(opened.get(), &again) != 0) return last_failure("fstat");
  if (!is_same(again, file)) return failure{EAGAIN, "open"};
  return opened;
}

}  // namespace

outcome<fd> open_fifo(const char* path, int access, fifo_owner owner) {
  // Whoever changes the name that often does it on purpose.
  for (int attempts = 1;; attempts++) {
    outcome<fd> opened = try_to_open(path, access, owner);
    if (opened.ok() || opened.why().error != EAGAIN || attempts == 16) return opened;
  }
}

outcome<fd> make_fifo(const char* path, mode_t mode) {
  // Narrow first: nobody else gets in before the mode is what was asked for.
  if (::mkfifo(path, 0600) != 0) return last_failure("mkfifo");
  outcome<fd> opened = open_fifo(path, O_RDWR, {});
  if (!opened.ok()) {
    ::unlink(path);
    return opened.why();
  }
  if (::fchmod(opened.value().get(), mode) != 0) {
    const failure why = last_failure("fchmod");
    ::unlink(path);
    return why;
  }
  return opened;
}

outcome<fd> reopen_fifo(int descriptor, const char* path, int access) {
  struct stat ours {};
  if (::fstat(descriptor, &ours) != 0) return last_failure("fstat");
  if (ours.st_nlink == 0) return failure{EIDRM, "open"};
  outcome<fd> opened = open_fifo(path, access, {true});
  if (!opened.ok()) return opened;
  struct stat there {};
  if (::fstat(opened.value().get(), &there) != 0) return last_failure("fstat");
  if (!is_same(there, ours)) return failure{EIDRM, "open"};
  return opened;
}

outcome<fifo_status> status_of_fifo(int descriptor) {
  struct stat file {};
  if (::fstat(descriptor, &file) != 0) return last_failure("fstat");
  return fifo_status{file.st_dev, file.st_ino,           file.st_uid,
                     file.st_gid, file.st_mode & 07777U, file.st_nlink > 0};
}

outcome<nothing> remove_fifo(const char* path, int descriptor) {
  struct stat ours {};
  struct stat there {};
  if (::fstat(descriptor, &ours) != 0) return last_failure("fstat");
  if (ours.st_nlink == 0) return failure{EIDRM, "unlink"};
  if (::lstat(path, &there) != 0) return last_failure("unlink");
  if (!is_same(there, ours)) return failure{EIDRM, "unlink"};
  if (::unlink(path) != 0) return last_failure("unlink");
  return nothing{};
}

}  // namespace ipckit::sys
