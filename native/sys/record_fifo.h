// A FIFO that carries whole records, for many writers and many readers at once. The bytes of a record, on
// which C and Python programs agree (docs/layout.md), all numbers little-endian:
//
//   0        4        8                       8 + n     12 + n
//   +--------+--------+-----------------------+---------+------------------+
//   | length | check  | n bytes               | ~check  | 0 to 7 zeros     |
//   +--------+--------+-----------------------+---------+------------------+
//   check = (length xor 0x4b435049) * 0x9e3779b1, modulo 2^32       the whole is a multiple of 8 bytes
//
// A record is written in one write(2) that has room for all of it, and read in one read(2) of exactly its
// size: the kernel does either whole or not at all, so nobody who is killed leaves half a record. Before it
// is read it is looked at with tee(2), which takes nothing. Programs that write or read in pieces may be
// killed in between; then the check or the end of the record is wrong, and the reader goes on at the next
// record that is whole.
//
// Open file description locks (fcntl(2)) on the FIFO, which the kernel releases when their holder dies:
//   byte 0, exclusive    held while one reads
//   byte 1               held while one writes: shared for records of up to PIPE_BUF bytes, which are atomic
//   by
//                        themselves, exclusive for larger ones and for many at once
//   byte 2, shared       held by everyone who has the queue open
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "sys/deadline.h"
#include "sys/fifo.h"
#include "sys/outcome.h"
#include "sys/pipe.h"
#include "sys/removal_look.h"

namespace ipckit::sys {

/// Where one message lies.
struct record {
  size_t offset;
  size_t length;
  /// What was left of a record whose writer or reader died in the middle of it.
  bool torn;
};

/// A message to send, as lib/wait/outbox.ts lays it: it may write 8 bytes in front of it, and 4 and up to a
/// multiple of 8 behind it.
struct outgoing_record {
  int32_t offset;
  int32_t length;
  int32_t unused[2];
};

struct record_fifo_status {
  size_t depth = 0;
  /// Of the messages alone.
  size_t bytes = 0;
  size_t capacity = 0;
  /// Whether others have it open, of those who hold the lock that says so.
  bool is_shared = false;
  fifo_status file;
};

/// A pipe of our own into which a look at a FIFO is copied. One for all FIFOs of a thread.
class peephole {
 public:
  /// Copies up to `size` bytes from the head of the FIFO and leaves them there: how many, fewer than there
  /// are when the kernel gave this pipe less room; or the negative errno. `room` is the size of the pipe that
  /// is needed, 0 for the least: the kernel copies page by page, and small writes leave theirs half empty, so
  /// that only a pipe as large as the FIFO shows all of it.
  ssize_t look(int fifo, char* buffer, size_t size, size_t room);
  /// Whether anybody has the FIFO open for writing, or has left something in it: 1 or 0, or the negative
  /// errno. For who has it open for reading alone.
  int has_writer(int fifo);

 private:
  ssize_t widen(size_t size);

  std::optional<pipe_ends> pipe_;
  size_t capacity_ = 0;
};

class record_fifo {
 public:
  /// What a record takes in the pipe beside its message, at least.
  static constexpr size_t overhead = 12;
  static constexpr size_t header_bytes = 8;

  record_fifo() = default;
  /// Takes the FIFO, which is open for both. `capacity`: bytes of the pipe, 0 to leave it as it is. A FIFO
  /// that others have open keeps its size, unless we made it.
  static outcome<record_fifo> adopt(fd descriptor, int capacity, bool is_ours);

  /// 0, or the negative errno; EAGAIN when there is no room.
  int send(const char* bytes, size_t length);
  /// How many were sent, or the negative errno when none was.
  int send_many(char* memory, size_t size, const outgoing_record* records, int count);
  /// Lays up to `max` messages into the buffer: how many, or the negative errno; EAGAIN when there is none.
  /// The buffer holds at least one record of the largest size.
  int receive(peephole& hole, char* buffer, size_t size, int max, std::vector<record>& into);
  /// Lays a copy of the message at a position into the buffer: 1, 0 when there is none, or the negative
  /// errno.
  int peek(peephole& hole, char* buffer, size_t size, size_t position, record& into);

  /// Blocks until it may be worth trying again: 1; 0 when the deadline has passed; -EINTR after a signal.
  int wait(bool to_send, const deadline& until);
  /// Whether poll(2) can tell when to try again. It cannot when somebody else was at it just then, or when
  /// there was room, but not enough of it.
  bool can_be_polled(bool to_send) const { return to_send ? !send_blocked_ : !receive_blocked_; }

  outcome<record_fifo_status> status(peephole& hole);
  /// Whether the name is gone. Then sending fails with EIDRM, and receiving once it is empty.
  bool look_whether_removed() {
    return removed_.look_now([this] { return is_unlinked(descriptor()); });
  }
  outcome<nothing> unlink(const char* path) const { return remove_fifo(path, descriptor()); }

  /// The longest message that fits.
  size_t message_bytes() const { return capacity_ - overhead; }
  /// Reads the size of the pipe again; others may have changed it.
  int refresh();
  int descriptor() const { return descriptor_.get(); }

 private:
  enum class lock_byte : uint8_t { reading, writing, open };
  class held_lock;

  explicit record_fifo(fd descriptor) : descriptor_(std::move(descriptor)) {}

  int lock(lock_byte which, short type);
  /// The same, again until the time is over.
  int lock_patiently(lock_byte which, short type, double milliseconds);
  /// The type of the lock that somebody else has, of those that `type` cannot be held beside; F_UNLCK when
  /// none.
  short blocking_lock(lock_byte which, short type) const;
  int unread() const;
  /// Bytes that one write(2) surely has room for.
  size_t room() const;
  int write_whole(const iovec* pieces, int count, size_t total);
  /// How many bytes from the head belong to no record that is whole.
  size_t torn_bytes(peephole& hole);
  ssize_t take(char* buffer, size_t size);
  /// Whether the name is gone, as far as was looked.
  bool was_removed() {
    return removed_.look([this] { return is_unlinked(descriptor()); });
  }

  fd descriptor_;
  size_t capacity_ = 0;
  bool send_blocked_ = false;
  bool receive_blocked_ = false;
  removal_look removed_;
};

}  // namespace ipckit::sys
