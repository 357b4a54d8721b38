// POSIX shared memory by name, and memory without one.
#include "sys/posix_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "support.h"

namespace ipckit::sys {
namespace {

/// A name that is removed in the end.
struct scoped_name {
  ~scoped_name() { ::shm_unlink(c_str()); }
  const char* c_str() const { return text.c_str(); }
  std::string file() const { return "/dev/shm" + text; }

  const std::string text =
      "/ipckit-test-" + std::to_string(::getpid()) + "-" + std::to_string(std::random_device{}());
};

TEST(posix_memory, is_created_once_with_its_size_and_exact_mode) {
  const scoped_name name;
  const mode_t before = ::umask(077);
  const auto made = posix_memory::create(name.c_str(), 5000, 0666);
  ::umask(before);
  ASSERT_TRUE(made.ok());
  const auto status = posix_memory::status(made.value()).value();
  EXPECT_EQ(status.st_size, 5000);
  EXPECT_EQ(status.st_mode & 07777, 0666U);
  EXPECT_EQ(status.st_nlink, 1U);
  // All of it is there: 8 blocks of 512 bytes for each page.
  EXPECT_EQ(status.st_blocks, 16);
  const auto again = posix_memory::create(name.c_str(), 1, 0600);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.why().error, EEXIST);
}

TEST(posix_memory, that_is_too_large_leaves_no_name) {
  const scoped_name name;
  const auto failed = posix_memory::create(name.c_str(), int64_t{1} << 60, 0600);
  ASSERT_FALSE(failed.ok());
  EXPECT_TRUE(failed.why().error == ENOSPC || failed.why().error == EFBIG) << failed.why().error;
  EXPECT_STREQ(failed.why().syscall, "posix_fallocate");
  EXPECT_NE(::access(name.file().c_str(), F_OK), 0);
}

TEST(posix_memory, is_opened_by_its_name_until_it_is_unlinked) {
  const scoped_name name;
  EXPECT_EQ(posix_memory::open(name.c_str(), true).why().error, ENOENT);
  const auto made = posix_memory::create(name.c_str(), 10, 0600);
  const auto opened = posix_memory::open(name.c_str(), false);
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(posix_memory::status(opened.value()).value().st_ino,
            posix_memory::status(made.value()).value().st_ino);
  EXPECT_FALSE(posix_memory::is_writable(opened.value()));
  EXPECT_TRUE(posix_memory::is_writable(made.value()));
  EXPECT_TRUE(posix_memory::unlink(name.c_str()).ok());
  EXPECT_EQ(posix_memory::unlink(name.c_str()).why().error, ENOENT);
  EXPECT_EQ(posix_memory::status(opened.value()).value().st_nlink, 0U);
}

TEST(posix_memory, does_not_wait_for_a_fifo_that_was_planted) {
  const scoped_name name;
  ASSERT_EQ(::mkfifo(name.file().c_str(), 0600), 0);
  const auto opened = posix_memory::open(name.c_str(), false);
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(S_ISFIFO(posix_memory::status(opened.value()).value().st_mode));
}

TEST(posix_memory, follows_no_link) {
  const scoped_name name;
  ASSERT_EQ(::symlink("/etc/passwd", name.file().c_str()), 0);
  EXPECT_EQ(posix_memory::open(name.c_str(), false).why().error, ELOOP);
  EXPECT_EQ(posix_memory::create(name.c_str(), 10, 0600).why().error, EEXIST);
}

TEST(posix_memory, changes_its_mode_and_nothing_else) {
  const scoped_name name;
  const auto made = posix_memory::create(name.c_str(), 10, 0600);
  EXPECT_TRUE(posix_memory::set(made.value(), ::getuid(), ::getgid(), 0640).ok());
  EXPECT_EQ(posix_memory::status(made.value()).value().st_mode & 07777, 0640U);
  EXPECT_EQ(posix_memory::set(fd(), 0, 0, 0600).why().error, EBADF);
}

TEST(posix_memory, without_a_name_is_private_reserved_and_sealed) {
  const auto made = posix_memory::make_anonymous("test", 5000);
  ASSERT_TRUE(made.ok());
  const auto status = posix_memory::status(made.value()).value();
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  EXPECT_EQ(status.st_blocks, 16);
  EXPECT_TRUE(posix_memory::add_seals(made.value(), F_SEAL_SHRINK | F_SEAL_GROW).ok());
  EXPECT_EQ(posix_memory::seals(made.value()).value() & (F_SEAL_SHRINK | F_SEAL_GROW),
            F_SEAL_SHRINK | F_SEAL_GROW);
  EXPECT_NE(::ftruncate(made.value().get(), 0), 0);
  EXPECT_EQ(::fcntl(made.value().get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST(posix_memory, is_duplicated_with_a_descriptor_of_its_own) {
  auto made = posix_memory::make_anonymous("test", 10);
  const auto copy = posix_memory::duplicate(made.value().get());
  ASSERT_TRUE(copy.ok());
  EXPECT_NE(copy.value().get(), made.value().get());
  EXPECT_EQ(posix_memory::duplicate(-1).why().error, EBADF);
}

}  // namespace
}  // namespace ipckit::sys
