// Names of Unix sockets: how a listener gets one, and how a connection is made to one.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "sys/unix_socket.h"

namespace ipckit::sys {

namespace {

bool is_abstract(const std::string& name) { return !name.empty() && name.front() == '\0'; }

struct address {
  explicit address(const std::string& name) {
    bytes.sun_family = AF_UNIX;
    const size_t length = name.size() < sizeof bytes.sun_path ? name.size() : sizeof bytes.sun_path - 1;
    std::memcpy(bytes.sun_path, name.data(), length);
    // An abstract name is all its bytes; a path ends with its NUL.
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (is_abstract(name) ? 0 : 1));
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }

  sockaddr_un bytes{};
  socklen_t size;
};

bool is_too_long(const std::string& name) { return name.size() >= sizeof(sockaddr_un::sun_path); }

fd open_path(const std::string& path) { return fd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)); }

/// A name of the very file that is open, whatever becomes of its path.
std::string name_of(const fd& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

/// 0, or the errno. The socket must not block: EAGAIN when the backlog is full.
int try_connect(const fd& socket, const address& to) {
  int result;
  do {
    result = ::connect(socket.get(), to.get(), to.size);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

socket_file inspect(const fd& file) {
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return socket_file::none;
  if (S_ISLNK(status.st_mode)) return socket_file::link;
  if (!S_ISSOCK(status.st_mode)) return socket_file::not_a_socket;
  if (status.st_uid != ::geteuid()) return socket_file::of_another_user;
  const fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // In doubt it is alive, and stays.
  if (!probe || try_connect(probe, address(name_of(file))) != ECONNREFUSED) return socket_file::alive;
  return socket_file::stale;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Held while a socket file is made or taken for stale: between bind(2) and listen(2) it looks as if it were.
/// Whoever dies lets go of it. Without a descriptor where that cannot be.
fd lock_folder(const std::string& path) {
  fd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return folder;
  for (int tries = 0; tries < 200; tries++) {
    if (::flock(folder.get(), LOCK_EX | LOCK_NB) == 0) return folder;
    ::usleep(1000);
  }
  return fd();
}

/// bind(2) takes the umask's bits away from the mode that the socket has.
outcome<nothing> make_exact(const fd& file, mode_t mode) {
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return last_failure("open");
  if (!S_ISSOCK(status.st_mode) || status.st_uid != ::geteuid()) return failure{EADDRINUSE, "bind"};
  if ((status.st_mode & 07777) == mode) return nothing{};
  if (::chmod(name_of(file).c_str(), mode) != 0) return last_failure("chmod");
  return nothing{};
}

}  // namespace

socket_file inspect_socket_file(const std::string& path) { return inspect(open_path(path)); }

outcome<unix_socket> unix_socket::connect(const std::string& name) {
  if (is_too_long(name)) return failure{ENAMETOOLONG, "connect"};
  fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return last_failure("socket");
  fd file;
  std::string target = name;
  if (!is_abstract(name)) {
    file = open_path(name);
    if (!file) return last_failure("connect");
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return last_failure("fstat");
    if (S_ISLNK(status.st_mode)) return failure{ELOOP, "connect"};
    if (!S_ISSOCK(status.st_mode)) return failure{ENOTSOCK, "connect"};
    // What was looked at is what is connected to; where /proc is not there, the path has to do.
    if (::access(name_of(file).c_str(), F_OK) == 0) target = name_of(file);
  }
  if (const int error = try_connect(socket, address(target)); error != 0) return failure{error, "connect"};
  if (::fcntl(socket.get(), F_SETFL, 0) != 0) return last_failure("fcntl");
  return unix_socket(std::move(socket));
}

outcome<unix_listener> unix_listener::listen(const std::string& name, mode_t mode, int backlog,
                                             bool replace_stale) {
  if (is_too_long(name)) return failure{ENAMETOOLONG, "bind"};
  unix_listener made;
  made.descriptor_ = fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made.descriptor_) return last_failure("socket");
  const int socket = made.descriptor();
  const address at(name);
  if (is_abstract(name)) {
    if (::bind(socket, at.get(), at.size) != 0) return last_failure("bind");
    if (::listen(socket, backlog) != 0) return last_failure("listen");
    return made;
  }

  const fd lock = lock_folder(name);
  if (replace_stale) {
    if (!lock) return failure{EBUSY, "flock"};
    if (inspect_socket_file(name) == socket_file::stale && ::unlink(name.c_str()) != 0) {
      return last_failure("unlink");
    }
  }
  // Never more than was asked for, not even for a moment.
  if (::fchmod(socket, mode) != 0) return last_failure("fchmod");
  if (::bind(socket, at.get(), at.size) != 0) return last_failure("bind");
  // For close, when the working directory may be another.
  char* const absolute = ::realpath(name.c_str(), nullptr);
  if (absolute == nullptr) return last_failure("realpath");
  made.path_ = absolute;
  ::free(absolute);
  made.file_ = open_path(made.path_);
  if (const outcome<nothing> exact = make_exact(made.file_, mode); !exact.ok()) return exact.why();
  if (::listen(socket, backlog) != 0) return last_failure("listen");
  return made;
}

unix_listener& unix_listener::operator=(unix_listener&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  return *this;
}

unix_listener::~unix_listener() {
  struct stat there {};
  struct stat ours {};
  if (!file_ || ::lstat(path_.c_str(), &there) != 0 || ::fstat(file_.get(), &ours) != 0) return;
  // Somebody may have put another one there.
  if (there.st_dev == ours.st_dev && there.st_ino == ours.st_ino) ::unlink(path_.c_str());
}

outcome<unix_socket> unix_listener::accept() const {
  for (;;) {
    fd accepted(::accept4(descriptor(), nullptr, nullptr, SOCK_CLOEXEC));
    if (accepted) return unix_socket(std::move(accepted));
    if (errno != EINTR && errno != ECONNABORTED) return last_failure("accept4");
  }
}

}  // namespace ipckit::sys
