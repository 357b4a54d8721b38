// System V segments: what the kernel says of them. Attaching is tested with mappings.
#include "sys/sysv_memory.h"

#include "support.h"

namespace ipckit::sys {
namespace {

/// A private segment.
struct scoped_segment {
  ~scoped_segment() { ::shmctl(id, IPC_RMID, nullptr); }
  const int id = sysv_memory::get(IPC_PRIVATE, 5000, 0640).value();
};

TEST(sysv_memory, is_made_with_its_size_and_mode) {
  const scoped_segment segment;
  const auto status = sysv_memory::status(segment.id).value();
  EXPECT_EQ(status.shm_segsz, 5000U);
  EXPECT_EQ(status.shm_perm.mode & 0777, 0640);
  EXPECT_EQ(status.shm_nattch, 0U);
  EXPECT_EQ(status.shm_cpid, ::getpid());
}

TEST(sysv_memory, of_a_key_is_found_and_refused_when_it_is_smaller) {
  const key_t key = static_cast<key_t>(std::random_device{}() | 1);
  const int id = sysv_memory::get(key, 100, IPC_CREAT | IPC_EXCL | 0600).value();
  EXPECT_EQ(sysv_memory::get(key, 0, 0600).value(), id);
  EXPECT_EQ(sysv_memory::get(key, 101, 0600).why().error, EINVAL);
  EXPECT_EQ(sysv_memory::get(key, 100, IPC_CREAT | IPC_EXCL | 0600).why().error, EEXIST);
  EXPECT_TRUE(sysv_memory::remove(id).ok());
  EXPECT_EQ(sysv_memory::get(key, 0, 0600).why().error, ENOENT);
  EXPECT_FALSE(sysv_memory::remove(id).ok());
}

TEST(sysv_memory, changes_its_mode) {
  const scoped_segment segment;
  EXPECT_TRUE(sysv_memory::set(segment.id, ::getuid(), ::getgid(), 0600).ok());
  EXPECT_EQ(sysv_memory::status(segment.id).value().shm_perm.mode & 0777, 0600);
  EXPECT_EQ(sysv_memory::set(-1, 0, 0, 0600).why().error, EINVAL);
}

TEST(sysv_memory, is_locked_and_unlocked) {
  const scoped_segment segment;
  EXPECT_TRUE(sysv_memory::lock(segment.id, true).ok());
  EXPECT_NE(sysv_memory::status(segment.id).value().shm_perm.mode & SHM_LOCKED, 0);
  EXPECT_TRUE(sysv_memory::lock(segment.id, false).ok());
  EXPECT_EQ(sysv_memory::status(segment.id).value().shm_perm.mode & SHM_LOCKED, 0);
}

TEST(sysv_memory, is_counted_in_the_limits) {
  const auto before = sysv_memory::limits_now().value();
  const scoped_segment segment;
  const auto after = sysv_memory::limits_now().value();
  EXPECT_EQ(after.segments, test::number_in("/proc/sys/kernel/shmmni"));
  EXPECT_EQ(after.used_segments, before.used_segments + 1);
  EXPECT_EQ(after.used_pages, before.used_pages + 2);
}

}  // namespace
}  // namespace ipckit::sys
