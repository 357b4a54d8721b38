#include "sys/pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "support.h"
#include "sys/fifo.h"

namespace ipckit::test {
namespace {

using sys::deadline;
using sys::make_pipe;
using sys::pipe_ends;

pipe_ends made() { return std::move(make_pipe(false).value()); }

TEST(pipe, carries_bytes_and_ends_with_its_writer) {
  pipe_ends ends = made();
  char buffer[16];
  EXPECT_EQ(ends.reading.read(buffer, sizeof buffer), -EAGAIN);
  EXPECT_EQ(ends.writing.write("hello", 5), 5);
  EXPECT_EQ(ends.reading.unread(), 5);
  EXPECT_EQ(ends.reading.read(buffer, sizeof buffer), 5);
  ends.writing = sys::pipe_end();
  EXPECT_EQ(ends.reading.read(buffer, sizeof buffer), 0);
}

TEST(pipe, writing_without_a_reader_is_an_error_and_no_signal) {
  // gtest runs each test in a process of its own, where SIGPIPE kills unless something is done about it.
  ASSERT_NE(::signal(SIGPIPE, SIG_DFL), SIG_ERR);
  pipe_ends ends = made();
  ends.reading = sys::pipe_end();
  EXPECT_EQ(ends.writing.write("x", 1), -EPIPE);
  sigset_t pending;
  ::sigpending(&pending);
  EXPECT_EQ(::sigismember(&pending, SIGPIPE), 0);
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(::sigismember(&mask, SIGPIPE), 0);
}

TEST(pipe, waits_for_what_it_is_asked_for_and_no_longer_than_told) {
  pipe_ends ends = made();
  EXPECT_EQ(ends.reading.wait(POLLIN, deadline::in_milliseconds(5)), 0);
  EXPECT_EQ(ends.writing.wait(POLLOUT, deadline::in_milliseconds(100'000)), 1);
  ASSERT_EQ(ends.writing.write("x", 1), 1);
  EXPECT_EQ(ends.reading.wait(POLLIN, deadline::in_milliseconds(100'000)), 1);
  EXPECT_NE(ends.reading.poll(POLLIN) & POLLIN, 0);
}

TEST(pipe, has_a_size_that_can_be_changed_and_descriptors_that_are_closed_on_exec) {
  pipe_ends ends = made();
  EXPECT_EQ(ends.writing.capacity(), 65536);
  EXPECT_EQ(ends.writing.set_capacity(5000), 8192);
  EXPECT_EQ(ends.reading.capacity(), 8192);
  EXPECT_EQ(::fcntl(ends.reading.descriptor(), F_GETFD), FD_CLOEXEC);
  const int given = ends.writing.hand_over().value();
  EXPECT_EQ(::fcntl(given, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(ends.writing.write("x", 1), -EBADF);
  ::close(given);
}

TEST(pipe, of_packets_keeps_writes_apart) {
  pipe_ends ends = std::move(make_pipe(true).value());
  ASSERT_EQ(ends.writing.write("ab", 2), 2);
  ASSERT_EQ(ends.writing.write("c", 1), 1);
  char buffer[16];
  EXPECT_EQ(ends.reading.read(buffer, sizeof buffer), 2);
  EXPECT_EQ(ends.reading.read(buffer, sizeof buffer), 1);
}

struct scoped_path {
  const std::string path =
      "/tmp/ipckit-test-" + std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}());
  const char* get() const { return path.c_str(); }
  ~scoped_path() { ::unlink(get()); }
};

TEST(fifo, is_made_with_the_exact_mode_and_opened_without_blocking) {
  const scoped_path path;
  const mode_t before = ::umask(077);
  EXPECT_EQ(sys::open_fifo(path.get(), O_RDWR, {}).why().error, ENOENT);
  const auto fifo = sys::make_fifo(path.get(), 0664);
  ::umask(before);
  ASSERT_TRUE(fifo.ok());
  EXPECT_EQ(sys::status_of_fifo(fifo.value().get()).value().mode, 0664u);
  EXPECT_EQ(sys::make_fifo(path.get(), 0600).why().error, EEXIST);
  EXPECT_TRUE(sys::open_fifo(path.get(), O_WRONLY, {}).ok());
  EXPECT_TRUE(sys::reopen_fifo(fifo.value().get(), path.get(), O_RDONLY).ok());
}

TEST(fifo, without_a_reader_cannot_be_opened_for_writing) {
  const scoped_path path;
  ASSERT_EQ(::mkfifo(path.get(), 0600), 0);
  EXPECT_EQ(sys::open_fifo(path.get(), O_WRONLY, {}).why().error, ENXIO);
  const auto place = sys::open_fifo(path.get(), O_PATH, {});
  EXPECT_EQ(sys::reopen_fifo(place.value().get(), path.get(), O_WRONLY).why().error, ENXIO);
}

TEST(fifo, is_nothing_else) {
  const scoped_path path;
  ASSERT_EQ(::symlink("/dev/zero", path.get()), 0);
  EXPECT_EQ(sys::open_fifo(path.get(), O_RDWR, {}).why().error, ELOOP);
  EXPECT_EQ(sys::open_fifo("/dev/null", O_RDWR, {true}).why().error, ENOTSUP);
  EXPECT_EQ(sys::open_fifo("/tmp", O_RDONLY, {}).why().error, ENOTSUP);
}

TEST(fifo, of_another_name_is_not_removed) {
  const scoped_path path;
  const auto fifo = sys::make_fifo(path.get(), 0600);
  ASSERT_EQ(::unlink(path.get()), 0);
  ASSERT_EQ(::mkfifo(path.get(), 0600), 0);
  EXPECT_EQ(sys::remove_fifo(path.get(), fifo.value().get()).why().error, EIDRM);
  EXPECT_EQ(sys::reopen_fifo(fifo.value().get(), path.get(), O_RDWR).why().error, EIDRM);
  EXPECT_EQ(::access(path.get(), F_OK), 0);
}

}  // namespace
}  // namespace ipckit::test
