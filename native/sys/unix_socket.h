// A connected Unix stream socket that carries messages, each behind its length, and descriptors: unix(7). No
// call blocks and none sets O_NONBLOCK: the other holder of the descriptor (a child that it was handed to)
// may want it to block. Nothing is read ahead: what nobody has asked for stays in the kernel.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "sys/deadline.h"
#include "sys/fd.h"
#include "sys/outcome.h"

namespace ipckit::sys {

/// Who was at the other end when the connection was made.
struct peer_credentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// What came with the bytes of receive_descriptors().
struct received_descriptors {
  size_t count = 0;
  /// There were more; the kernel, or we, have closed them.
  bool truncated = false;
};

/// The framing is that of Python's multiprocessing.connection:
///
///   | length: 4 bytes, big-endian, signed | bytes |
///   | -1: 4 bytes | length: 8 bytes, big-endian | bytes |      from 2^31 bytes on
class unix_socket {
 public:
  /// So many descriptors go in one call: SCM_MAX_FD of the kernel.
  static constexpr size_t max_descriptors = 253;
  /// A socket with the smallest send buffer that the kernel gives still takes so many bytes whole, in one
  /// piece: half of SOCK_MIN_SNDBUF, less 64.
  static constexpr size_t max_descriptor_bytes = 2048;

  unix_socket() = default;

  static outcome<std::pair<unix_socket, unix_socket>> make_pair();
  /// Takes over a descriptor that must be a connected Unix stream socket: when it is none, the descriptor
  /// stays the caller's. It is close-on-exec from then on.
  static outcome<unix_socket> adopt(int descriptor);
  /// `name` is a path, or a name of the abstract namespace behind a NUL. A link is refused (ELOOP). EAGAIN
  /// when the listener's backlog is full.
  static outcome<unix_socket> connect(const std::string& name);

  /// Sends a message of `length` bytes whose first `from` bytes, header included, have been sent: how many
  /// more now are; or -errno, EAGAIN when there is no room for any.
  ssize_t send(const char* bytes, size_t length, size_t from) const;

  /// Begins to receive a message: how many of its bytes lie in `bytes` now, and all its bytes in `length`.
  /// Only a message that fits is read; of a larger one nothing is. Or -errno: EAGAIN while its header is not
  /// there; ENODATA at the end of the stream; EPROTO when descriptors came with it, which are closed; EBADMSG
  /// when the length is none.
  ssize_t begin(char* bytes, size_t size, int64_t* length);
  /// How many bytes of a header are in hand: begin() has seen them, but not all.
  size_t header_bytes() const { return have_; }
  /// More of the message that was begun, at most `size`, which is not 0: how many bytes; or -errno, see
  /// begin().
  ssize_t more(char* bytes, size_t size) const;

  /// Sends descriptors with 1 to max_descriptor_bytes bytes, outside of any message: 0 or -errno.
  int send_descriptors(const char* bytes, size_t length, std::span<const int> descriptors) const;
  /// Receives what send_descriptors() sent: how many bytes; or -errno: EAGAIN; ENODATA; EBADMSG when a
  /// message comes next, which begin() will find; EMFILE, which leaves everything where it is when
  /// `received->truncated` is not set; EPROTO when more bytes came with them than may, after which nothing
  /// can be received any more.
  ssize_t receive_descriptors(char* bytes, size_t size, std::span<int> descriptors,
                              received_descriptors* received);

  /// Blocks until one of `events` (poll(2)) holds: 1; 0 when the deadline has passed; -EINTR after a signal.
  int wait(short events, const deadline& until);
  /// shutdown(2)
  outcome<nothing> shut(int how) const;
  outcome<peer_credentials> peer() const;

  int descriptor() const { return descriptor_.get(); }

 private:
  friend class unix_listener;
  explicit unix_socket(fd descriptor) : descriptor_(std::move(descriptor)) {}

  fd descriptor_;
  unsigned char header_[12] = {};
  size_t have_ = 0;
};

/// A Unix stream socket at which connections arrive. Its file goes with it, if it is still its own.
class unix_listener {
 public:
  unix_listener() = default;
  unix_listener(unix_listener&& other) noexcept { *this = std::move(other); }
  unix_listener& operator=(unix_listener&& other) noexcept;
  ~unix_listener();

  /// The file has exactly this mode, whatever the umask. EADDRINUSE when the name is taken. With
  /// `replace_stale` a socket of this user that nobody listens at any more makes room.
  static outcome<unix_listener> listen(const std::string& name, mode_t mode, int backlog, bool replace_stale);

  outcome<unix_socket> accept() const;

  int descriptor() const { return descriptor_.get(); }

 private:
  fd descriptor_;
  /// Absolute; empty for an abstract name.
  std::string path_;
  /// The file itself (O_PATH): while it is open nobody else's file has its inode number.
  fd file_;
};

/// What is wrong with a name that is taken, or that nobody answers at.
enum class socket_file { none, link, not_a_socket, of_another_user, stale, alive };
socket_file inspect_socket_file(const std::string& path);

}  // namespace ipckit::sys
