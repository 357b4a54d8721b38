#include "sys/record_fifo.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace ipckit::sys {

namespace {

/// One message and what it takes: most are smaller.
constexpr size_t first_look = 4096;
constexpr size_t header_bytes = record_fifo::header_bytes;
constexpr size_t end_bytes = 4;
/// Others hold a lock for the time of a few system calls. Who does not get it in so many tries sleeps.
constexpr int lock_attempts = 32;
/// How long a look waits for somebody who was interrupted while he reads.
constexpr double look_patience_ms = 500;

uint32_t little_endian(uint32_t value) {
  return std::endian::native == std::endian::little ? value : __builtin_bswap32(value);
}

void put_number(char* at, uint32_t value) {
  value = little_endian(value);
  std::memcpy(at, &value, sizeof value);
}

uint32_t number_at(const char* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return little_endian(value);
}

uint32_t check_of(size_t length) { return (static_cast<uint32_t>(length) ^ 0x4b435049U) * 0x9e3779b1U; }

size_t round_up(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

size_t record_bytes(size_t length) { return round_up(header_bytes + length + end_bytes); }

void put_header(char* at, size_t length) {
  put_number(at, static_cast<uint32_t>(length));
  put_number(at + 4, check_of(length));
}

/// The end of a record and its zeros: how many bytes.
size_t put_end(char* at, size_t length) {
  const size_t size = record_bytes(length) - header_bytes - length;
  std::memset(at, 0, size);
  put_number(at, ~check_of(length));
  return size;
}

enum class shape : uint8_t { whole, unfinished, wrong };

/// What stands at the beginning of the bytes; `total` is the size of the record unless it is wrong.
shape shape_of(const char* bytes, size_t size, size_t capacity, size_t& total) {
  if (size < header_bytes) {
    total = header_bytes;
    return shape::unfinished;
  }
  const size_t length = number_at(bytes);
  total = record_bytes(length);
  if (number_at(bytes + 4) != check_of(length) || total > capacity) return shape::wrong;
  if (total > size) return shape::unfinished;
  return number_at(bytes + header_bytes + length) == ~check_of(length) ? shape::whole : shape::wrong;
}

void sleep_briefly(const deadline& until) {
  constexpr int64_t nap_ns = 1'000'000;
  const timespec nap{0, std::min(nap_ns, until.remaining())};
  ::nanosleep(&nap, nullptr);
}

size_t page_bytes() {
  static const auto bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

ssize_t peephole::widen(size_t size) {
  if (!pipe_) {
    outcome<pipe_ends> made = make_pipe(false);
    if (!made.ok()) return -made.why().error;
    pipe_.emplace(std::move(made.value()));
    capacity_ = static_cast<size_t>(pipe_->writing.capacity());
  }
  if (size > capacity_) {
    // Where a limit forbids it (pipe(7), pipe-user-pages-soft), the look is shorter.
    const int given = pipe_->writing.set_capacity(static_cast<int>(size));
    if (given > 0) capacity_ = static_cast<size_t>(given);
  }
  return 0;
}

ssize_t peephole::look(int fifo, char* buffer, size_t size, size_t room) {
  if (const ssize_t failed = widen(room); failed != 0) return failed;
  ssize_t copied = 0;
  do {
    copied = ::tee(fifo, pipe_->writing.descriptor(), size, SPLICE_F_NONBLOCK);
  } while (copied < 0 && errno == EINTR);
  if (copied < 0) return errno == EAGAIN ? 0 : -errno;
  size_t done = 0;
  while (done < static_cast<size_t>(copied)) {
    const ssize_t length = pipe_->reading.read(buffer + done, static_cast<size_t>(copied) - done);
    if (length <= 0) {
      // What stays in there would be taken for the head of the next FIFO.
      pipe_.reset();
      return length == 0 ? -EIO : length;
    }
    done += static_cast<size_t>(length);
  }
  return copied;
}

int peephole::has_writer(int fifo) {
  if (const ssize_t failed = widen(0); failed != 0) return static_cast<int>(failed);
  ssize_t copied = 0;
  do {
    copied = ::tee(fifo, pipe_->writing.descriptor(), 1, SPLICE_F_NONBLOCK);
  } while (copied < 0 && errno == EINTR);
  // An empty FIFO is at its end without a writer, and with one it may yet have more.
  if (copied < 0) return errno == EAGAIN ? 1 : -errno;
  char byte = 0;
  if (copied > 0) (void)pipe_->reading.read(&byte, 1);
  return copied > 0 ? 1 : 0;
}

/// A lock that is held until the end of a scope, or could not be had.
class record_fifo::held_lock {
 public:
  held_lock(record_fifo& fifo, lock_byte which, short type, double patience_ms = 0)
      : fifo_(fifo), which_(which) {
    for (int attempts = lock_attempts; (error_ = fifo.lock(which, type)) == -EAGAIN && attempts > 1;
         attempts--)
      ::sched_yield();
    if (error_ == -EAGAIN && patience_ms > 0) error_ = fifo.lock_patiently(which, type, patience_ms);
  }
  ~held_lock() {
    if (error_ == 0) fifo_.lock(which_, F_UNLCK);
  }
  held_lock(const held_lock&) = delete;
  held_lock& operator=(const held_lock&) = delete;

  /// 0, or the negative errno: EAGAIN when somebody else has it.
  int error() const { return error_; }

 private:
  record_fifo& fifo_;
  lock_byte which_;
  int error_ = 0;
};

int record_fifo::lock(lock_byte which, short type) {
  struct flock wanted {};
  wanted.l_type = type;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = static_cast<off_t>(which);
  wanted.l_len = 1;
  if (::fcntl(descriptor(), F_OFD_SETLK, &wanted) == 0) return 0;
  return errno == EACCES ? -EAGAIN : -errno;
}

short record_fifo::blocking_lock(lock_byte which, short type) const {
  struct flock wanted {};
  wanted.l_type = type;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = static_cast<off_t>(which);
  wanted.l_len = 1;
  return ::fcntl(descriptor(), F_OFD_GETLK, &wanted) == 0 ? wanted.l_type : static_cast<short>(F_UNLCK);
}

int record_fifo::lock_patiently(lock_byte which, short type, double milliseconds) {
  const deadline patience = deadline::in_milliseconds(milliseconds);
  int locked = lock(which, type);
  while (locked == -EAGAIN && !patience.expired()) {
    sleep_briefly(patience);
    locked = lock(which, type);
  }
  return locked;
}

outcome<record_fifo> record_fifo::adopt(fd descriptor, int capacity, bool is_ours) {
  record_fifo fifo(std::move(descriptor));
  const bool is_alone = fifo.lock(lock_byte::open, F_WRLCK) == 0;
  if (capacity > 0 && (is_alone || is_ours) && ::fcntl(fifo.descriptor(), F_SETPIPE_SZ, capacity) < 0) {
    return last_failure("fcntl");
  }
  // Somebody who opens it at this moment has it alone for an instant. Who was stopped in that instant does
  // not stop us: the lock only says that we are here.
  const int locked = fifo.lock_patiently(lock_byte::open, F_RDLCK, 100);
  if (locked != 0 && locked != -EAGAIN) return failure{-locked, "fcntl"};
  if (const int error = fifo.refresh(); error < 0) return failure{-error, "fcntl"};
  return fifo;
}

int record_fifo::refresh() {
  const int bytes = ::fcntl(descriptor(), F_GETPIPE_SZ);
  if (bytes < 0) return -errno;
  capacity_ = static_cast<size_t>(bytes);
  return 0;
}

int record_fifo::unread() const {
  int bytes = 0;
  return ::ioctl(descriptor(), FIONREAD, &bytes) != 0 ? -errno : bytes;
}

// The pipe is a ring of pages, and not every page is full: a write begins in the last page only when all that
// does not fill pages of its own fits there. So two pages that follow each other hold more than one page of
// bytes together, and the first may be read to its end but for a byte.
size_t record_fifo::room() const {
  const int bytes = unread();
  if (bytes < 0) return 0;
  if (bytes == 0) return capacity_;
  const size_t page = page_bytes();
  const size_t used = (static_cast<size_t>(bytes) - 1) / (page + 1) * 2 + 2;
  const size_t pages = capacity_ / page;
  return used < pages ? (pages - used) * page : 0;
}

int record_fifo::write_whole(const iovec* pieces, int count, size_t total) {
  ssize_t written = 0;
  do {
    written = ::writev(descriptor(), pieces, count);
  } while (written < 0 && errno == EINTR);
  if (written < 0) return -errno;
  // Less than that: another writer does not hold the lock, and took the room that there was. What has been
  // written cannot be taken back, and readers skip it.
  return static_cast<size_t>(written) == total ? 0 : -EIO;
}

int record_fifo::send(const char* bytes, size_t length) {
  send_blocked_ = false;
  if (was_removed()) return -EIDRM;
  const size_t total = record_bytes(length);
  if (total > capacity_ && (refresh() < 0 || total > capacity_)) return -EMSGSIZE;
  const bool is_atomic = total <= PIPE_BUF;
  const held_lock writing(*this, lock_byte::writing, static_cast<short>(is_atomic ? F_RDLCK : F_WRLCK));
  if (writing.error() != 0) {
    send_blocked_ = true;
    return writing.error();
  }
  if (!is_atomic && total > room()) {
    send_blocked_ = true;
    return -EAGAIN;
  }
  char header[header_bytes];
  char end[end_bytes + 7];
  put_header(header, length);
  const iovec pieces[] = {
      {header, header_bytes}, {const_cast<char*>(bytes), length}, {end, put_end(end, length)}};
  return write_whole(pieces, 3, total);
}

int record_fifo::send_many(char* memory, size_t size, const outgoing_record* records, int count) {
  send_blocked_ = false;
  if (was_removed()) return -EIDRM;
  if (refresh() < 0) return -EBADF;
  const held_lock writing(*this, lock_byte::writing, F_WRLCK);
  if (writing.error() != 0) {
    send_blocked_ = true;
    return writing.error();
  }
  int sent = 0;
  while (sent < count) {
    // As many as there is room for, in one call: they lie one behind the other.
    const size_t limit = std::max<size_t>(room(), PIPE_BUF);
    const size_t begin = static_cast<size_t>(records[sent].offset) - header_bytes;
    size_t end = begin;
    int next = sent;
    int refused = 0;
    for (; next < count; next++) {
      const size_t offset = static_cast<size_t>(records[next].offset);
      const size_t length = static_cast<size_t>(records[next].length);
      const size_t total = record_bytes(length);
      if (offset < header_bytes || offset - header_bytes + total > size) return sent > 0 ? sent : -EFAULT;
      if (total > capacity_) refused = -EMSGSIZE;
      if (refused != 0 || offset - header_bytes != end || end + total - begin > limit) break;
      put_header(memory + end, length);
      put_end(memory + offset + length, length);
      end += total;
    }
    if (next == sent) {
      send_blocked_ = refused == 0;
      if (sent > 0) return sent;
      return refused != 0 ? refused : -EAGAIN;
    }
    const iovec piece{memory + begin, end - begin};
    if (const int error = write_whole(&piece, 1, end - begin); error != 0) return sent > 0 ? sent : error;
    sent = next;
  }
  return sent;
}

ssize_t record_fifo::take(char* buffer, size_t size) {
  ssize_t taken = 0;
  do {
    taken = ::read(descriptor(), buffer, size);
  } while (taken < 0 && errno == EINTR);
  return taken < 0 ? -errno : taken;
}

size_t record_fifo::torn_bytes(peephole& hole) {
  const int there = unread();
  if (there <= 0) return 0;
  std::vector<char> view(static_cast<size_t>(there));
  const ssize_t seen = hole.look(descriptor(), view.data(), view.size(), capacity_);
  if (seen <= 0) return 0;
  const auto size = static_cast<size_t>(seen);
  for (size_t at = 1; at + header_bytes <= size; at++) {
    size_t total = 0;
    if (shape_of(view.data() + at, size - at, capacity_, total) != shape::wrong) return at;
  }
  return size;
}

int record_fifo::receive(peephole& hole, char* buffer, size_t size, int max, std::vector<record>& into) {
  into.clear();
  receive_blocked_ = false;
  const held_lock reading(*this, lock_byte::reading, F_WRLCK);
  if (reading.error() != 0) {
    receive_blocked_ = true;
    return reading.error();
  }
  size_t wanted = max == 1 ? std::min(first_look, size) : size;
  for (bool is_certain = false;;) {
    // A record may begin in the middle of a page, and so lie in one more than it fills.
    const size_t room = wanted > first_look ? std::min(wanted + page_bytes(), capacity_) : 0;
    const ssize_t looked = hole.look(descriptor(), buffer, wanted, room);
    if (looked < 0) return static_cast<int>(looked);
    if (looked == 0) return was_removed() ? -EIDRM : -EAGAIN;
    const auto seen = static_cast<size_t>(looked);
    size_t end = 0;
    size_t total = 0;
    shape found = shape::unfinished;
    while (end < seen && into.size() < static_cast<size_t>(max)) {
      found = shape_of(buffer + end, seen - end, capacity_, total);
      if (found != shape::whole) break;
      into.push_back({end + header_bytes, number_at(buffer + end), false});
      end += total;
    }
    if (!into.empty()) {
      const ssize_t taken = take(buffer, end);
      if (taken == static_cast<ssize_t>(end)) return static_cast<int>(into.size());
      return taken < 0 ? static_cast<int>(taken) : -EIO;
    }
    if (found == shape::unfinished) {
      const int there = unread();
      if (there >= static_cast<int>(total) && total <= size) {
        // More of it than was looked at.
        if (wanted < total) {
          wanted = total;
          continue;
        }
        // The kernel gave the look less room than this record needs: it is taken unseen.
        if (seen < total && is_certain) {
          const ssize_t taken = take(buffer, total);
          if (taken < 0) return static_cast<int>(taken);
          size_t ignored = 0;
          const bool is_whole =
              shape_of(buffer, static_cast<size_t>(taken), capacity_, ignored) == shape::whole;
          into.push_back(is_whole ? record{header_bytes, number_at(buffer), false}
                                  : record{0, static_cast<size_t>(taken), true});
          return 1;
        }
      } else if (blocking_lock(lock_byte::writing, F_RDLCK) == F_WRLCK) {
        // Somebody writes it in pieces, and is not done.
        receive_blocked_ = true;
        return -EAGAIN;
      }
    }
    if (!is_certain) {
      // What looked wrong may have been finished since.
      is_certain = true;
      refresh();
      continue;
    }
    const size_t torn = std::min(torn_bytes(hole), size);
    if (torn == 0) return -EAGAIN;
    const ssize_t taken = take(buffer, torn);
    if (taken < 0) return static_cast<int>(taken);
    into.push_back({0, static_cast<size_t>(taken), true});
    return 1;
  }
}

int record_fifo::peek(peephole& hole, char* buffer, size_t size, size_t position, record& into) {
  const held_lock reading(*this, lock_byte::reading, F_WRLCK, look_patience_ms);
  if (reading.error() != 0) return reading.error();
  if (const int there = unread(); there <= 0) return there == 0 && was_removed() ? -EIDRM : there;
  const ssize_t seen = hole.look(descriptor(), buffer, size, capacity_);
  if (seen <= 0) return static_cast<int>(seen);
  size_t total = 0;
  for (size_t at = 0; at < static_cast<size_t>(seen); at += total) {
    if (shape_of(buffer + at, static_cast<size_t>(seen) - at, capacity_, total) != shape::whole) return 0;
    if (position-- > 0) continue;
    into = {at + header_bytes, number_at(buffer + at), false};
    return 1;
  }
  return 0;
}

int record_fifo::wait(bool to_send, const deadline& until) {
  if (!can_be_polled(to_send)) {
    sleep_briefly(until);
    return until.expired() ? 0 : 1;
  }
  return wait_for(descriptor(), to_send ? POLLOUT : POLLIN, until);
}

outcome<record_fifo_status> record_fifo::status(peephole& hole) {
  record_fifo_status status;
  const outcome<fifo_status> file = status_of_fifo(descriptor());
  if (!file.ok()) return file.why();
  status.file = file.value();
  if (refresh() < 0) return last_failure("fcntl");
  status.capacity = capacity_;
  status.is_shared = blocking_lock(lock_byte::open, F_WRLCK) != F_UNLCK;
  // Nobody asks again for us, and who reads at this moment has finished soon, unless it was stopped.
  const held_lock reading(*this, lock_byte::reading, F_WRLCK, look_patience_ms);
  if (reading.error() != 0) return failure{-reading.error(), "fcntl"};
  const int there = unread();
  if (there <= 0) return status;
  std::vector<char> view(static_cast<size_t>(there));
  const ssize_t seen = hole.look(descriptor(), view.data(), view.size(), capacity_);
  if (seen < 0) return failure{static_cast<int>(-seen), "tee"};
  for (size_t at = 0; at < static_cast<size_t>(seen);) {
    size_t total = 0;
    if (shape_of(view.data() + at, static_cast<size_t>(seen) - at, capacity_, total) == shape::whole) {
      status.depth++;
      status.bytes += number_at(view.data() + at);
      at += total;
    } else {
      at++;
    }
  }
  return status;
}

}  // namespace ipckit::sys
