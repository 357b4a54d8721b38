#include "sys/unix_socket.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <memory>
#include <vector>

#include "support.h"

namespace ipckit::test {
namespace {

using sys::deadline;
using sys::received_descriptors;
using sys::unix_listener;
using sys::unix_socket;

struct ends {
  ends() {
    auto made = unix_socket::make_pair();
    EXPECT_TRUE(made.ok());
    first = std::move(made.value().first);
    second = std::move(made.value().second);
  }
  unix_socket first;
  unix_socket second;
};

ssize_t send(const unix_socket& socket, const std::string& text) {
  return socket.send(text.data(), text.size(), 0);
}

void write_raw(const unix_socket& socket, const std::string& bytes) {
  EXPECT_EQ(::send(socket.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

/// A whole message that fits the buffer.
std::string receive(unix_socket& socket) {
  char bytes[4096];
  int64_t length = -1;
  const ssize_t count = socket.begin(bytes, sizeof bytes, &length);
  EXPECT_EQ(count, length);
  return {bytes, static_cast<size_t>(std::max<ssize_t>(count, 0))};
}

int error_of(unix_socket& socket) {
  char byte;
  int64_t length = 0;
  return static_cast<int>(socket.begin(&byte, 1, &length));
}

bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

TEST(unix_socket, keeps_the_boundaries_of_messages) {
  ends pair;
  EXPECT_EQ(send(pair.first, "one"), 7);
  EXPECT_EQ(send(pair.first, ""), 4);
  EXPECT_EQ(send(pair.first, "three"), 9);
  EXPECT_EQ(receive(pair.second), "one");
  EXPECT_EQ(receive(pair.second), "");
  EXPECT_EQ(receive(pair.second), "three");
  EXPECT_EQ(error_of(pair.second), -EAGAIN);
}

TEST(unix_socket, frames_as_python_does) {
  ends pair;
  send(pair.first, "abc");
  char bytes[16];
  ASSERT_EQ(::recv(pair.second.descriptor(), bytes, sizeof bytes, 0), 7);
  EXPECT_EQ(std::string(bytes, 7), std::string("\0\0\0\3abc", 7));
}

TEST(unix_socket, takes_a_header_and_a_message_byte_by_byte) {
  ends pair;
  const std::string framed("\0\0\0\3abc", 7);
  char bytes[8];
  int64_t length = 0;
  for (size_t at = 0; at < 4; at++) {
    EXPECT_EQ(pair.second.begin(bytes, sizeof bytes, &length), -EAGAIN);
    EXPECT_EQ(pair.second.header_bytes(), at);
    write_raw(pair.first, framed.substr(at, 1));
  }
  EXPECT_EQ(pair.second.begin(bytes, sizeof bytes, &length), 0);
  EXPECT_EQ(length, 3);
  for (size_t at = 4; at < 7; at++) {
    EXPECT_EQ(pair.second.more(bytes, 3), -EAGAIN);
    write_raw(pair.first, framed.substr(at, 1));
    EXPECT_EQ(pair.second.more(bytes, 3), 1);
    EXPECT_EQ(bytes[0], framed[at]);
  }
}

TEST(unix_socket, leaves_a_message_that_does_not_fit_where_it_is) {
  ends pair;
  send(pair.first, "larger than that");
  char bytes[8];
  int64_t length = 0;
  EXPECT_EQ(pair.second.begin(bytes, sizeof bytes, &length), 0);
  EXPECT_EQ(length, 16);
  char whole[16];
  EXPECT_EQ(pair.second.more(whole, sizeof whole), 16);
}

TEST(unix_socket, reads_nothing_ahead) {
  ends pair;
  send(pair.first, "one");
  send(pair.first, "two");
  EXPECT_EQ(receive(pair.second), "one");
  // Another process that has this end finds the second one whole.
  unix_socket other = std::move(unix_socket::adopt(::dup(pair.second.descriptor())).value());
  EXPECT_EQ(receive(other), "two");
}

TEST(unix_socket, reads_the_long_header) {
  ends pair;
  write_raw(pair.first, std::string("\xff\xff\xff\xff\0\0\0\0\0\0\0\3abc", 15));
  EXPECT_EQ(receive(pair.second), "abc");
  write_raw(pair.first, std::string("\xff\xff\xff\xff\0\0\0\1\0\0\0\0", 12));
  char byte;
  int64_t length = 0;
  EXPECT_EQ(pair.second.begin(&byte, 1, &length), 0);
  EXPECT_EQ(length, int64_t{1} << 32);
}

TEST(unix_socket, writes_the_long_header_from_two_gigabytes_on) {
  ends pair;
  // Untouched memory; only the header and what the socket has room for is read.
  const size_t size = size_t{1} << 31;
  char* const bytes = static_cast<char*>(::malloc(size));
  ASSERT_NE(bytes, nullptr);
  EXPECT_GT(pair.first.send(bytes, size, 0), 12);
  ::free(bytes);
  unsigned char header[12];
  ASSERT_EQ(::recv(pair.second.descriptor(), header, sizeof header, 0), 12);
  const unsigned char wanted[12] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0x80, 0, 0, 0};
  EXPECT_EQ(std::memcmp(header, wanted, sizeof header), 0);
}

TEST(unix_socket, refuses_lengths_that_are_none) {
  for (const char* hex : {"\xff\xff\xff\xfe", "\x80\0\0\0"}) {
    ends pair;
    write_raw(pair.first, std::string(hex, 4));
    EXPECT_EQ(error_of(pair.second), -EBADMSG);
  }
  ends pair;
  write_raw(pair.first, std::string("\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", 12));
  EXPECT_EQ(error_of(pair.second), -EBADMSG);
}

TEST(unix_socket, sends_a_large_message_in_parts_from_every_offset) {
  ends pair;
  std::string message(1'000'000, 'x');
  for (size_t at = 0; at < message.size(); at++) message[at] = static_cast<char>(at * 7 + at / 256);
  size_t sent = 0;
  std::string received;
  char bytes[70'000];
  int64_t length = 0;
  while (received.size() < message.size()) {
    const ssize_t count = pair.first.send(message.data(), message.size(), sent);
    if (count > 0) sent += static_cast<size_t>(count);
    if (length == 0) {
      ASSERT_EQ(pair.second.begin(bytes, sizeof bytes, &length), 0);
      ASSERT_EQ(length, 1'000'000);
    }
    const ssize_t came = pair.second.more(bytes, sizeof bytes);
    ASSERT_GT(came, 0);
    received.append(bytes, static_cast<size_t>(came));
  }
  EXPECT_EQ(received, message);
  EXPECT_EQ(sent, message.size() + 4);
}

TEST(unix_socket, goes_on_in_the_middle_of_a_header) {
  for (size_t from = 0; from <= 7; from++) {
    ends pair;
    write_raw(pair.first, std::string("\0\0\0\3abc", 7).substr(0, from));
    EXPECT_EQ(pair.first.send("abc", 3, from), static_cast<ssize_t>(7 - from));
    EXPECT_EQ(receive(pair.second), "abc");
  }
  ends pair;
  EXPECT_EQ(pair.first.send("abc", 3, 8), -EINVAL);
}

TEST(unix_socket, tells_of_a_full_socket_and_of_the_end) {
  ends pair;
  const std::string message(1000, 'x');
  while (send(pair.first, message) > 0) {
  }
  EXPECT_EQ(send(pair.first, message), -EAGAIN);
  pair.first = unix_socket();
  char bytes[4096];
  int64_t length = 0;
  ssize_t count = 0;
  while (count >= 0) count = pair.second.begin(bytes, sizeof bytes, &length);
  EXPECT_EQ(count, -ENODATA);
}

TEST(unix_socket, sending_to_nobody_is_an_error_and_no_signal) {
  ends pair;
  pair.second = unix_socket();
  EXPECT_EQ(send(pair.first, "x"), -EPIPE);
  EXPECT_EQ(error_of(pair.first), -ENODATA);
}

TEST(unix_socket, does_not_touch_the_flags_that_others_share) {
  ends pair;
  EXPECT_EQ(error_of(pair.second), -EAGAIN);
  send(pair.first, "x");
  EXPECT_EQ(::fcntl(pair.first.descriptor(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(pair.second.descriptor(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(pair.second.descriptor(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(unix_socket, adopts_connected_unix_streams_only) {
  const auto refused = [](int descriptor) {
    const int error = unix_socket::adopt(descriptor).why().error;
    EXPECT_TRUE(descriptor == 1'000'000 || is_open(descriptor));
    ::close(descriptor);
    return error;
  };
  EXPECT_EQ(refused(1'000'000), EBADF);
  EXPECT_EQ(refused(::open("/dev/null", O_RDONLY)), ENOTSOCK);
  EXPECT_EQ(refused(::socket(AF_INET, SOCK_STREAM, 0)), EAFNOSUPPORT);
  EXPECT_EQ(refused(::socket(AF_UNIX, SOCK_DGRAM, 0)), EPROTOTYPE);
  EXPECT_EQ(refused(::socket(AF_UNIX, SOCK_STREAM, 0)), ENOTCONN);
  ends pair;
  const int copy = ::dup(pair.second.descriptor());
  const int on = 1;
  ::setsockopt(copy, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  unix_socket adopted = std::move(unix_socket::adopt(copy).value());
  EXPECT_EQ(adopted.descriptor(), copy);
  EXPECT_NE(::fcntl(copy, F_GETFD) & FD_CLOEXEC, 0);
  send(pair.first, "without credentials");
  EXPECT_EQ(receive(adopted), "without credentials");
}

TEST(unix_socket, wait_ends_with_what_it_waits_for_in_time_and_by_a_signal) {
  ends pair;
  EXPECT_EQ(pair.second.wait(POLLIN, deadline::in_milliseconds(0)), 0);
  EXPECT_EQ(pair.second.wait(POLLIN, deadline::in_milliseconds(5)), 0);
  EXPECT_EQ(pair.second.wait(POLLOUT, deadline::in_milliseconds(5)), 1);
  send(pair.first, "x");
  EXPECT_EQ(pair.second.wait(POLLIN, deadline::in_milliseconds(10'000)), 1);
  receive(pair.second);
  const interrupt_storm storm;
  EXPECT_EQ(pair.second.wait(POLLIN, deadline::in_milliseconds(10'000)), -EINTR);
}

TEST(unix_socket, no_signal_is_seen_by_who_sends_and_receives) {
  ends pair;
  const interrupt_storm storm;
  for (int round = 0; round < 20'000; round++) {
    ASSERT_EQ(send(pair.first, "message"), 11);
    ASSERT_EQ(receive(pair.second), "message");
  }
  until([&] { return storm.count() > 10; });
}

class descriptors_test : public testing::Test {
 protected:
  int send_file(const std::string& bytes, size_t count = 1) {
    const std::vector<int> all(count, file.get());
    return pair.first.send_descriptors(bytes.data(), bytes.size(), all);
  }
  ssize_t receive(size_t room) {
    numbers.assign(room, -1);
    const ssize_t length =
        pair.second.receive_descriptors(bytes, sizeof bytes, std::span(numbers.data(), room), &received);
    numbers.resize(received.count);
    return length;
  }
  void close_all() {
    for (const int number : numbers) ::close(number);
    numbers.clear();
  }

  ends pair;
  const sys::fd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  char bytes[unix_socket::max_descriptor_bytes];
  std::vector<int> numbers;
  received_descriptors received;
};

TEST_F(descriptors_test, arrive_close_on_exec_with_their_bytes_and_no_byte_more) {
  for (const size_t length : {size_t{1}, size_t{5}, unix_socket::max_descriptor_bytes}) {
    ASSERT_EQ(send_file(std::string(length, 'b')), 0);
    send(pair.first, "behind");
    ASSERT_EQ(receive(1), static_cast<ssize_t>(length));
    EXPECT_EQ(std::string(bytes, length), std::string(length, 'b'));
    ASSERT_EQ(numbers.size(), 1U);
    EXPECT_FALSE(received.truncated);
    EXPECT_NE(::fcntl(numbers[0], F_GETFD) & FD_CLOEXEC, 0);
    close_all();
    EXPECT_EQ(test::receive(pair.second), "behind");
  }
}

TEST_F(descriptors_test, fit_whole_into_the_smallest_socket) {
  const int smallest = 1;
  ::setsockopt(pair.first.descriptor(), SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
  ASSERT_EQ(send_file(std::string(unix_socket::max_descriptor_bytes, 'b')), 0);
  EXPECT_EQ(receive(1), static_cast<ssize_t>(unix_socket::max_descriptor_bytes));
  close_all();
}

TEST_F(descriptors_test, are_installed_as_far_as_was_asked_for) {
  const size_t before = open_descriptors();
  for (const size_t room : {1, 2, 3, 4, 5, 6}) {
    ASSERT_EQ(send_file("x", 5), 0);
    ASSERT_EQ(receive(room), 1);
    EXPECT_EQ(numbers.size(), std::min<size_t>(room, 5));
    EXPECT_EQ(received.truncated, room < 5);
    EXPECT_EQ(open_descriptors(), before + numbers.size());
    close_all();
  }
}

TEST_F(descriptors_test, go_up_to_the_kernels_limit) {
  ASSERT_EQ(send_file("x", unix_socket::max_descriptors), 0);
  EXPECT_EQ(receive(unix_socket::max_descriptors), 1);
  EXPECT_EQ(numbers.size(), unix_socket::max_descriptors);
  close_all();
  EXPECT_EQ(send_file("x", unix_socket::max_descriptors + 1), -EINVAL);
  EXPECT_EQ(send_file("x", 0), -EINVAL);
  EXPECT_EQ(send_file(""), -EMSGSIZE);
  EXPECT_EQ(send_file(std::string(unix_socket::max_descriptor_bytes + 1, 'b')), -EMSGSIZE);
}

TEST_F(descriptors_test, behind_a_message_leave_it_whole) {
  EXPECT_EQ(receive(1), -EAGAIN);
  send(pair.first, "message");
  EXPECT_EQ(receive(1), -EBADMSG);
  ASSERT_EQ(send_file("x"), 0);
  // Now a peek tells of descriptors, which are not those of the first byte.
  EXPECT_EQ(receive(1), -EBADMSG);
  EXPECT_EQ(receive(1), -EBADMSG);
  EXPECT_EQ(test::receive(pair.second), "message");
  EXPECT_EQ(receive(1), 1);
  close_all();
}

TEST_F(descriptors_test, where_a_message_was_expected_are_closed_and_told_of) {
  const size_t before = open_descriptors();
  ASSERT_EQ(send_file("x", 3), 0);
  EXPECT_EQ(error_of(pair.second), -EPROTO);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(descriptors_test, with_more_bytes_than_may_be_are_closed_and_told_of) {
  const size_t before = open_descriptors();
  const std::string much(unix_socket::max_descriptor_bytes + 1, 'b');
  iovec part{const_cast<char*>(much.data()), much.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  *CMSG_FIRSTHDR(&message) = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  const int number = file.get();
  std::memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &number, sizeof number);
  ASSERT_EQ(::sendmsg(pair.first.descriptor(), &message, 0), static_cast<ssize_t>(much.size()));
  EXPECT_EQ(receive(1), -EPROTO);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(descriptors_test, without_room_for_them_stay_where_they_are) {
  ASSERT_EQ(send_file("x"), 0);
  std::vector<sys::fd> all;
  for (int number = ::dup(0); number >= 0; number = ::dup(0)) all.emplace_back(number);
  EXPECT_EQ(receive(1), -EMFILE);
  EXPECT_FALSE(received.truncated);
  all.pop_back();
  EXPECT_EQ(receive(1), 1);
  EXPECT_EQ(numbers.size(), 1U);
  close_all();
}

TEST_F(descriptors_test, of_the_dead_are_refused) {
  EXPECT_EQ(pair.first.send_descriptors("x", 1, std::vector<int>{1'000'000}), -EBADF);
  pair.second = unix_socket();
  EXPECT_EQ(send_file("x"), -EPIPE);
  EXPECT_EQ(pair.first.receive_descriptors(bytes, sizeof bytes, numbers, &received), -ENODATA);
}

class listener_test : public testing::Test {
 protected:
  ~listener_test() override { std::filesystem::remove_all(folder); }

  const std::filesystem::path folder = [] {
    char name[] = "/tmp/ipckit-test-XXXXXX";
    return std::filesystem::path(::mkdtemp(name));
  }();
  const std::string path = folder / "socket";

  int listen_error(bool replace_stale = false) const {
    return unix_listener::listen(path, 0600, 1, replace_stale).why().error;
  }
  void plant_stale() const {
    const sys::fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
};

TEST_F(listener_test, accepts_who_connects_and_takes_its_file_along) {
  {
    const unix_listener listener = std::move(unix_listener::listen(path, 0640, 4, false).value());
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0640U);
    EXPECT_EQ(listener.accept().why().error, EAGAIN);
    unix_socket client = std::move(unix_socket::connect(path).value());
    unix_socket server = std::move(listener.accept().value());
    EXPECT_EQ(::fcntl(client.descriptor(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(::fcntl(server.descriptor(), F_GETFL) & O_NONBLOCK, 0);
    send(client, "hello");
    EXPECT_EQ(receive(server), "hello");
    const sys::peer_credentials peer = server.peer().value();
    EXPECT_EQ(peer.pid, ::getpid());
    EXPECT_EQ(peer.uid, ::getuid());
    EXPECT_EQ(peer.gid, ::getgid());
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(listener_test, leaves_the_file_of_another) {
  {
    const unix_listener first = std::move(unix_listener::listen(path, 0600, 4, false).value());
    std::filesystem::remove(path);
    plant_stale();
  }
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(listener_test, says_what_takes_its_place) {
  EXPECT_EQ(sys::inspect_socket_file(path), sys::socket_file::none);
  plant_stale();
  EXPECT_EQ(sys::inspect_socket_file(path), sys::socket_file::stale);
  EXPECT_EQ(listen_error(), EADDRINUSE);
  const unix_listener listener = std::move(unix_listener::listen(path, 0600, 4, true).value());
  EXPECT_EQ(sys::inspect_socket_file(path), sys::socket_file::alive);
  EXPECT_EQ(listen_error(true), EADDRINUSE);
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/nowhere", path);
  EXPECT_EQ(sys::inspect_socket_file(path), sys::socket_file::link);
  EXPECT_EQ(listen_error(true), EADDRINUSE);
  EXPECT_EQ(unix_socket::connect(path).why().error, ELOOP);
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_EQ(sys::inspect_socket_file(path), sys::socket_file::not_a_socket);
  EXPECT_EQ(unix_socket::connect(path).why().error, ENOTSOCK);
}

TEST_F(listener_test, of_many_that_replace_a_stale_file_at_once_one_wins) {
  for (int round = 0; round < 20; round++) {
    plant_stale();
    int wins[2];
    ASSERT_EQ(::pipe2(wins, O_CLOEXEC), 0);
    {
      std::vector<std::unique_ptr<child_process>> racers;
      for (int racer = 0; racer < 6; racer++) {
        racers.push_back(std::make_unique<child_process>([&] {
          const auto listener = unix_listener::listen(path, 0600, 4, true);
          if (!listener.ok()) return;
          (void)!::write(wins[1], "w", 1);
          ::pause();
        }));
      }
      until([&] {
        int bytes = 0;
        return ::ioctl(wins[0], FIONREAD, &bytes) == 0 && bytes > 0;
      });
      std::this_thread::sleep_for(20ms);
    }
    char all[8];
    EXPECT_EQ(::read(wins[0], all, sizeof all), 1);
    ::close(wins[0]);
    ::close(wins[1]);
    std::filesystem::remove(path);
  }
}

TEST_F(listener_test, has_a_limit_for_names_and_for_the_backlog) {
  const std::string longest = "/" + std::string(107, 'x');
  EXPECT_EQ(unix_listener::listen(longest, 0600, 1, false).why().error, ENAMETOOLONG);
  EXPECT_EQ(unix_socket::connect(longest).why().error, ENAMETOOLONG);
  const unix_listener listener = std::move(unix_listener::listen(path, 0600, 1, false).value());
  std::vector<unix_socket> waiting;
  for (;;) {
    auto connected = unix_socket::connect(path);
    if (!connected.ok()) {
      EXPECT_EQ(connected.why().error, EAGAIN);
      break;
    }
    waiting.push_back(std::move(connected.value()));
  }
  EXPECT_EQ(waiting.size(), 2U);
}

TEST(abstract_listener, needs_no_file) {
  const std::string name = std::string(1, '\0') + "ipckit-test-" + std::to_string(::getpid());
  const unix_listener listener = std::move(unix_listener::listen(name, 0600, 4, false).value());
  EXPECT_EQ(unix_listener::listen(name, 0600, 4, true).why().error, EADDRINUSE);
  unix_socket client = std::move(unix_socket::connect(name).value());
  unix_socket server = std::move(listener.accept().value());
  send(client, "hello");
  EXPECT_EQ(receive(server), "hello");
}

}  // namespace
}  // namespace ipckit::test
