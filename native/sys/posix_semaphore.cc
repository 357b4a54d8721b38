#include "sys/posix_semaphore.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace ipckit::sys {

namespace {

/// A waiter that was woken by a post and killed before it took the permit leaves the next one asleep beside a
/// value above 0: a post wakes one. So nobody sleeps longer than this without looking.
constexpr int64_t longest_sleep_ns = 1'000'000'000;
/// Where the library's layout is not known, the value is looked at so often.
constexpr int64_t look_every_ns = 5'000'000;

/// How glibc lays a semaphore out on 64-bit, little-endian machines since 2.21
/// (sysdeps/nptl/internaltypes.h): the value in the low half of the first word, the number of waiters in the
/// high half. A post adds 1 and wakes one waiter if there is any.
using glibc_word = std::atomic<uint64_t>;
constexpr uint64_t one_waiter = uint64_t{1} << 32;
static_assert(glibc_word::is_always_lock_free && sizeof(glibc_word) <= sizeof(sem_t));

bool has_glibc_layout() {
  static const bool has = [] {
    sem_t probe;
    std::memset(&probe, 0, sizeof probe);
    if (::sem_init(&probe, 1, 5) != 0) return false;
    uint64_t word = 0;
    std::memcpy(&word, &probe, sizeof word);
    const bool as_known = word == 5;
    ::sem_destroy(&probe);
#ifdef __GLIBC__
    return as_known;
#else
    (void)as_known;
    return false;
#endif
  }();
  return has;
}

glibc_word& word_of(sem_t* semaphore) { return *reinterpret_cast<glibc_word*>(semaphore); }

long futex(sem_t* semaphore, int operation, uint32_t value, const timespec* timeout) {
  return ::syscall(SYS_futex, semaphore, operation, value, timeout, nullptr, 0);
}

std::string path_of(const char* name) {
  return std::string(semaphore_folder) + "/" + semaphore_prefix + (name[0] == '/' ? name + 1 : name);
}

}  // namespace

posix_semaphore::posix_semaphore(const posix_semaphore& other) : mapped_(other.mapped_) {
  if (mapped_ != nullptr) mapped_->users.fetch_add(1, std::memory_order_relaxed);
}

posix_semaphore::~posix_semaphore() {
  // Acquire and release: what others did with the memory is over before it goes.
  if (mapped_ == nullptr || mapped_->users.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  ::munmap(mapped_->semaphore, sizeof(sem_t));
  delete mapped_;
}

outcome<posix_semaphore> posix_semaphore::map(fd file) {
  void* memory = ::mmap(nullptr, sizeof(sem_t), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) return last_failure("mmap");
  posix_semaphore made;
  made.mapped_ = new mapping{std::move(file), static_cast<sem_t*>(memory)};
  return made;
}

outcome<posix_semaphore> posix_semaphore::open(const char* name, bool trust_others) {
  // O_NONBLOCK: somebody may have planted a pipe there, which would keep us waiting for its other end.
  fd file(::open(path_of(name).c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) {
    const failure why = last_failure("sem_open");
    // A link, a folder, a socket: nothing that sem_open(3) ever made.
    const bool planted = why.error == ELOOP || why.error == EISDIR || why.error == ENXIO;
    return planted ? failure{EINVAL, "sem_open"} : why;
  }
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return last_failure("fstat");
  // Removed between the two calls: as if it had been removed before.
  if (found.st_nlink == 0) return failure{ENOENT, "sem_open"};
  if (!S_ISREG(found.st_mode) || found.st_size != static_cast<off_t>(sizeof(sem_t))) {
    return failure{EINVAL, "sem_open"};
  }
  const bool owner_trusted = found.st_uid == 0 || found.st_uid == ::geteuid();
  if (!trust_others && (!owner_trusted || (found.st_mode & S_IWOTH) != 0)) return failure{EPERM, "sem_open"};
  return map(std::move(file));
}

outcome<posix_semaphore> posix_semaphore::create(const char* name, mode_t mode, unsigned value) {
  const std::string path = path_of(name);
  // A file without a name, made whole, is given its name last: link(2) fails when the name is taken. The name
  // it has until then is that of its descriptor, so nothing is left when we are killed in between.
  fd file(::open(semaphore_folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) return last_failure("sem_open");
  if (::fchmod(file.get(), mode) != 0) return last_failure("fchmod");
  sem_t fresh;
  std::memset(&fresh, 0, sizeof fresh);
  if (::sem_init(&fresh, 1, value) != 0) return last_failure("sem_open");
  // Written and not only made large: where there is no space this fails, and a touched hole would kill.
  const ssize_t written = ::pwrite(file.get(), &fresh, sizeof fresh, 0);
  if (written < 0) return last_failure("sem_open");
  if (written != static_cast<ssize_t>(sizeof fresh)) return failure{ENOSPC, "sem_open"};
  const std::string from = "/proc/self/fd/" + std::to_string(file.get());
  outcome<posix_semaphore> made = map(std::move(file));
  if (!made.ok()) return made;
  if (::linkat(AT_FDCWD, from.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    return last_failure("sem_open");
  }
  return made;
}

outcome<nothing> posix_semaphore::unlink(const char* name) {
  if (::unlink(path_of(name).c_str()) != 0) {
    const failure why = last_failure("sem_unlink");
    // In a folder with the sticky bit the kernel says EPERM; sem_unlink(3) says EACCES.
    return failure{why.error == EPERM ? EACCES : why.error, "sem_unlink"};
  }
  return nothing{};
}

int posix_semaphore::try_wait() {
  while (::sem_trywait(mapped_->semaphore) != 0) {
    if (errno != EINTR) return -errno;
  }
  return 0;
}

int posix_semaphore::post(int count) {
  for (int done = 0; done < count; done++) {
    if (::sem_post(mapped_->semaphore) != 0) return done > 0 ? done : -errno;
  }
  return count;
}

int posix_semaphore::value() {
  int value = 0;
  ::sem_getvalue(mapped_->semaphore, &value);
  return value;
}

int posix_semaphore::wait(const deadline* until, const stop_condition& stop) {
  sem_t* const semaphore = mapped_->semaphore;
  const bool known = has_glibc_layout();
  int result = 0;
  // Known to those who post before the value is looked at: a post in between wakes us.
  if (known) word_of(semaphore).fetch_add(one_waiter, std::memory_order_seq_cst);
  while (value() == 0) {
    int64_t sleep = known ? longest_sleep_ns : look_every_ns;
    if (until != nullptr) {
      if (until->expired()) {
        result = -ETIMEDOUT;
        break;
      }
      sleep = std::min(sleep, until->remaining());
    }
    const timespec timeout{sleep / 1'000'000'000, sleep % 1'000'000'000};
    // Shared, as the other processes' waits are: no FUTEX_PRIVATE_FLAG. The timeout counts on the monotonic
    // clock.
    const bool interrupted = known ? futex(semaphore, FUTEX_WAIT, 0, &timeout) != 0 && errno == EINTR
                                   : ::nanosleep(&timeout, nullptr) != 0;
    if (interrupted && stop.holds()) {
      result = -EINTR;
      break;
    }
  }
  if (known) word_of(semaphore).fetch_sub(one_waiter, std::memory_order_seq_cst);
  return result;
}

void posix_semaphore::pass_on() {
  if (!has_glibc_layout() || value() == 0) return;
  if (word_of(mapped_->semaphore).load(std::memory_order_seq_cst) < one_waiter) return;
  futex(mapped_->semaphore, FUTEX_WAKE, 1, nullptr);
}

outcome<struct stat> posix_semaphore::status() const {
  struct stat found {};
  if (::fstat(mapped_->file.get(), &found) != 0) return last_failure("fstat");
  return found;
}

}  // namespace ipckit::sys
