#include "sys/unix_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "sys/ready.h"

namespace ipckit::sys {

namespace {

constexpr size_t short_header = 4;
constexpr size_t long_header = 12;

void put_big_endian(unsigned char* out, uint64_t number, size_t bytes) {
  for (size_t at = 0; at < bytes; at++) out[at] = static_cast<unsigned char>(number >> 8 * (bytes - 1 - at));
}

uint64_t big_endian(const unsigned char* in, size_t bytes) {
  uint64_t number = 0;
  for (size_t at = 0; at < bytes; at++) number = number << 8 | in[at];
  return number;
}

size_t lay_header(unsigned char* out, size_t length) {
  if (length <= INT32_MAX) {
    put_big_endian(out, length, 4);
    return short_header;
  }
  put_big_endian(out, UINT32_MAX, 4);
  put_big_endian(out + 4, length, 8);
  return long_header;
}

/// recvmsg(2) of one piece without room for descriptors: the kernel closes those that come, and says so.
ssize_t receive(int descriptor, void* bytes, size_t size, int flags, bool* had_descriptors) {
  iovec part{bytes, size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ssize_t count;
  do {
    count = ::recvmsg(descriptor, &message, flags | MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  *had_descriptors = (message.msg_flags & MSG_CTRUNC) != 0;
  return count == 0 ? -ENODATA : count;
}

/// Collects the descriptors that came, and closes those for which there is no room.
void take_in(msghdr& message, std::span<int> descriptors, received_descriptors* received) {
  received->truncated = (message.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    const size_t came = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t at = 0; at < came; at++) {
      int number;
      std::memcpy(&number, CMSG_DATA(each) + at * sizeof(int), sizeof number);
      if (received->count < descriptors.size()) {
        descriptors[received->count++] = number;
      } else {
        ::close(number);
        received->truncated = true;
      }
    }
  }
}

ssize_t send_message(int descriptor, const msghdr& message) {
  ssize_t count;
  do {
    // Never a SIGPIPE: the other end's death is an error like others.
    count = ::sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

}  // namespace

outcome<std::pair<unix_socket, unix_socket>> unix_socket::make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return last_failure("socketpair");
  return std::pair(unix_socket(fd(ends[0])), unix_socket(fd(ends[1])));
}

outcome<unix_socket> unix_socket::adopt(int descriptor) {
  const auto option = [&](int name, int* value) {
    socklen_t size = sizeof *value;
    return ::getsockopt(descriptor, SOL_SOCKET, name, value, &size) == 0;
  };
  int domain = 0;
  int type = 0;
  int listening = 0;
  if (!option(SO_DOMAIN, &domain)) return last_failure("getsockopt");
  if (!option(SO_TYPE, &type) || !option(SO_ACCEPTCONN, &listening)) return last_failure("getsockopt");
  if (domain != AF_UNIX) return failure{EAFNOSUPPORT, "getsockopt"};
  if (type != SOCK_STREAM) return failure{EPROTOTYPE, "getsockopt"};
  sockaddr_un peer{};
  socklen_t size = sizeof peer;
  if (listening != 0 || ::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0) {
    return failure{ENOTCONN, "getpeername"};
  }
  // With it every message brings credentials, and a missing descriptor could not be told from them.
  int credentials = 0;
  if (option(SO_PASSCRED, &credentials) && credentials != 0) {
    credentials = 0;
    ::setsockopt(descriptor, SOL_SOCKET, SO_PASSCRED, &credentials, sizeof credentials);
  }
  if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) return last_failure("fcntl");
  return unix_socket(fd(descriptor));
}

ssize_t unix_socket::send(const char* bytes, size_t length, size_t from) const {
  unsigned char header[long_header];
  const size_t header_size = lay_header(header, length);
  const size_t header_sent = std::min(from, header_size);
  const size_t bytes_sent = from - header_sent;
  if (bytes_sent > length) return -EINVAL;
  iovec parts[2] = {{header + header_sent, header_size - header_sent},
                    {const_cast<char*>(bytes) + bytes_sent, length - bytes_sent}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  return send_message(descriptor(), message);
}

ssize_t unix_socket::begin(char* bytes, size_t size, int64_t* length) {
  for (;;) {
    const bool is_long = have_ >= short_header && big_endian(header_, 4) == UINT32_MAX;
    const size_t wanted = is_long ? long_header : short_header;
    if (have_ == wanted) break;
    bool had_descriptors = false;
    const ssize_t count = receive(descriptor(), header_ + have_, wanted - have_, 0, &had_descriptors);
    if (count < 0) return count;
    if (had_descriptors) return -EPROTO;
    have_ += static_cast<size_t>(count);
  }
  const uint64_t announced =
      have_ == short_header ? big_endian(header_, 4) : big_endian(header_ + short_header, 8);
  const uint64_t most = have_ == short_header ? INT32_MAX : INT64_MAX;
  have_ = 0;
  if (announced > most) return -EBADMSG;
  *length = static_cast<int64_t>(announced);
  if (announced == 0 || announced > size) return 0;
  const ssize_t count = more(bytes, static_cast<size_t>(announced));
  // Whatever it is comes again when the rest is asked for.
  return count < 0 ? 0 : count;
}

ssize_t unix_socket::more(char* bytes, size_t size) const {
  // Descriptors amid a message belong to nothing; the kernel has closed them.
  bool had_descriptors = false;
  return receive(descriptor(), bytes, size, 0, &had_descriptors);
}

int unix_socket::send_descriptors(const char* bytes, size_t length, std::span<const int> descriptors) const {
  if (length == 0 || length > max_descriptor_bytes) return -EMSGSIZE;
  if (descriptors.empty() || descriptors.size() > max_descriptors) return -EINVAL;
  alignas(cmsghdr) char control[CMSG_SPACE(max_descriptors * sizeof(int))] = {};
  iovec part{const_cast<char*>(bytes), length};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
  std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
  const ssize_t count = send_message(descriptor(), message);
  if (count < 0) return static_cast<int>(count);
  // Never, by max_descriptor_bytes; were it so, the stream could not be understood any more.
  return static_cast<size_t>(count) == length ? 0 : -EPROTO;
}

// Bytes that bring descriptors are a buffer of the kernel of their own, but reading may join them with those
// in front. So the first byte alone is read with descriptors: they come only when it is theirs. How many
// bytes belong to it is seen before, as a peek goes up to the end of the first buffer with descriptors. (A
// peek also tells of descriptors that lie behind what it was asked for, so it cannot tell whose byte the
// first one is.)
ssize_t unix_socket::receive_descriptors(char* bytes, size_t size, std::span<int> descriptors,
                                         received_descriptors* received) {
  *received = {};
  if (have_ > 0) return -EBADMSG;
  char ahead[max_descriptor_bytes + 1];
  bool any = false;
  const ssize_t length = receive(descriptor(), ahead, sizeof ahead, MSG_PEEK, &any);
  if (length < 0) return length;
  if (!any) return -EBADMSG;
  // Received without room in our table they would be lost.
  const int probe = ::fcntl(descriptor(), F_DUPFD_CLOEXEC, 0);
  if (probe < 0) return -errno;
  ::close(probe);

  alignas(cmsghdr) char control[CMSG_SPACE(max_descriptors * sizeof(int))];
  char first = 0;
  iovec part{&first, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  // Not CMSG_SPACE, which rounds up, and lets the kernel install one more than was asked for.
  message.msg_controllen = CMSG_LEN(std::min(descriptors.size(), max_descriptors) * sizeof(int));
  ssize_t count;
  do {
    count = ::recvmsg(descriptor(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return -errno;
  if (count == 0) return -ENODATA;
  take_in(message, descriptors, received);
  if (received->count == 0 && !received->truncated) {
    header_[have_++] = static_cast<unsigned char>(first);
    return -EBADMSG;
  }
  // With more bytes than anybody here sends it cannot be told where they end.
  const size_t whole = static_cast<size_t>(length);
  if (whole > std::min(size, max_descriptor_bytes)) {
    for (size_t at = 0; at < received->count; at++) ::close(descriptors[at]);
    return -EPROTO;
  }
  bytes[0] = first;
  for (size_t at = 1; at < whole;) {
    const ssize_t rest = more(bytes + at, whole - at);
    if (rest < 0) break;
    at += static_cast<size_t>(rest);
  }
  // Another thread has taken the room that was there.
  return received->count == 0 ? -EMFILE : length;
}

int unix_socket::wait(short events, const deadline& until) { return wait_for(descriptor(), events, until); }

outcome<nothing> unix_socket::shut(int how) const {
  if (::shutdown(descriptor(), how) != 0) return last_failure("shutdown");
  return nothing{};
}

outcome<peer_credentials> unix_socket::peer() const {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(descriptor(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return last_failure("getsockopt");
  }
  return peer_credentials{credentials.pid, credentials.uid, credentials.gid};
}

}  // namespace ipckit::sys
