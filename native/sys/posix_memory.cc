#include "sys/posix_memory.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <string>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

namespace ipckit::sys::posix_memory {

namespace {

/// Where glibc and musl keep these files.
constexpr const char* folder = "/dev/shm";

/// Reserves every page, so that none is missing when it is touched: ftruncate(2) alone reserves nothing on
/// tmpfs, and a full file system would be a SIGBUS later.
int reserve(const fd& memory, int64_t size) {
  int error = 0;
  do {
    error = ::posix_fallocate(memory.get(), 0, size);
  } while (error == EINTR);
  return error;
}

/// The way of file systems that know no O_TMPFILE, and of places without /proc: the name is there before the
/// memory is complete, and goes again when it cannot be.
outcome<fd> create_by_name(const char* name, int64_t size, mode_t mode) {
  fd memory(::shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!memory) return last_failure("shm_open");
  failure why{reserve(memory, size), "posix_fallocate"};
  if (why.error == 0 && ::fchmod(memory.get(), mode) != 0) why = last_failure("fchmod");
  if (why.error == 0) return memory;
  ::shm_unlink(name);
  return why;
}

}  // namespace

outcome<fd> open(const char* name, bool writable) {
  const int access = writable ? O_RDWR : O_RDONLY;
  // O_NONBLOCK: opening a FIFO that somebody planted would wait for its other end.
  fd memory(::shm_open(name, access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0));
  if (!memory) return last_failure("shm_open");
  return memory;
}

outcome<fd> create(const char* name, int64_t size, mode_t mode) {
  fd memory(::open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  if (!memory) {
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT) {
      return last_failure("shm_open");
    }
    return create_by_name(name, size, mode);
  }
  if (const int error = reserve(memory, size); error != 0) return failure{error, "posix_fallocate"};
  // Exact, whatever the umask.
  if (::fchmod(memory.get(), mode) != 0) return last_failure("fchmod");
  const std::string unnamed = "/proc/self/fd/" + std::to_string(memory.get());
  const std::string path = std::string(folder) + name;
  if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) return memory;
  if (errno == EEXIST) return failure{EEXIST, "shm_open"};
  if (errno == ENOENT || errno == EXDEV) return create_by_name(name, size, mode);
  return last_failure("linkat");
}

outcome<nothing> unlink(const char* name) {
  if (::shm_unlink(name) != 0) return last_failure("shm_unlink");
  return nothing{};
}

outcome<fd> make_anonymous(const char* label, int64_t size) {
  // Not executable, which kernels from 6.3 on want to be told, and older ones do not know.
  int made = ::memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (made < 0 && errno == EINVAL) made = ::memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  fd memory(made);
  if (!memory) return last_failure("memfd_create");
  // 0666 otherwise, and /proc/PID/fd is a way in for whoever may look there.
  if (::fchmod(memory.get(), 0600) != 0) return last_failure("fchmod");
  if (const int error = reserve(memory, size); error != 0) return failure{error, "posix_fallocate"};
  return memory;
}

outcome<fd> duplicate(int descriptor) {
  fd copy(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  if (!copy) return last_failure("fcntl");
  return copy;
}

outcome<struct stat> status(const fd& memory) {
  struct stat now {};
  if (::fstat(memory.get(), &now) != 0) return last_failure("fstat");
  return now;
}

outcome<nothing> set(const fd& memory, uid_t owner, gid_t group, mode_t mode) {
  // The owner first: a change of it may take bits of the mode away.
  const outcome<struct stat> before = status(memory);
  if (!before.ok()) return before.why();
  if ((before.value().st_uid != owner || before.value().st_gid != group) &&
      ::fchown(memory.get(), owner, group) != 0) {
    return last_failure("fchown");
  }
  if ((before.value().st_mode & 07777) != mode && ::fchmod(memory.get(), mode) != 0) {
    return last_failure("fchmod");
  }
  return nothing{};
}

outcome<nothing> add_seals(const fd& memory, int seals) {
  if (::fcntl(memory.get(), F_ADD_SEALS, seals) != 0) return last_failure("fcntl");
  return nothing{};
}

outcome<int> seals(const fd& memory) {
  const int now = ::fcntl(memory.get(), F_GET_SEALS);
  if (now < 0) return last_failure("fcntl");
  return now;
}

bool is_writable(const fd& memory) {
  const int flags = ::fcntl(memory.get(), F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) == O_RDWR;
}

}  // namespace ipckit::sys::posix_memory
