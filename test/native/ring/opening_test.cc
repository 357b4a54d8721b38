// Creating, opening and refusing: every kind of file that can stand at the name of a queue, and every kind of
// wish.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <fstream>

#include "support.h"

static int open_result(const std::string& name, ipckit_queue_options_t options = {},
                       ipckit_refusal_t* refusal = nullptr) {
  ipckit_queue_t* queue = nullptr;
  int result = ipckit_queue_open(name.c_str(), &options, refusal, &queue);
  if (result == 0) ipckit_queue_close(queue);
  return result;
}

static int create_result(ipckit_queue_options_t options) {
  ipckit_queue_t* queue = nullptr;
  const std::string name = random_name();
  int result = ipckit_queue_create(name.c_str(), &options, nullptr, &queue);
  if (result == 0) ipckit_queue_close(queue);
  ipckit_queue_unlink(name.c_str(), nullptr);
  return result;
}

/// Something else at the name of a queue, removed with its scope.
class Planted {
 public:
  Planted() : name_(random_name()), path_("/dev/shm/ipckit." + name_.substr(1)) {}
  Planted(const Planted&) = delete;
  Planted& operator=(const Planted&) = delete;
  ~Planted() { remove(path_.c_str()); }
  const std::string& name() const { return name_; }
  const char* path() const { return path_.c_str(); }

 private:
  std::string name_, path_;
};

static void overwrite(const std::string& path, off_t offset, const void* bytes, size_t size) {
  int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(pwrite(fd, bytes, size, offset), static_cast<ssize_t>(size));
  close(fd);
}

TEST(Creating, RefusesANameThatIsTaken) {
  Queue queue;
  ipckit_queue_t* second = nullptr;
  EXPECT_EQ(ipckit_queue_create(queue.name().c_str(), nullptr, nullptr, &second), -EEXIST);
  EXPECT_EQ(put(queue, "x"), 0);
}

TEST(Creating, OpenOrCreateSaysWhich) {
  const std::string name = random_name();
  ipckit_queue_t *first = nullptr, *second = nullptr;
  EXPECT_EQ(ipckit_queue_open_or_create(name.c_str(), nullptr, nullptr, &first), 1);
  EXPECT_EQ(ipckit_queue_open_or_create(name.c_str(), nullptr, nullptr, &second), 0);
  EXPECT_EQ(put(first, "x"), 0);
  EXPECT_EQ(get(second), "x");
  ipckit_queue_close(first);
  ipckit_queue_close(second);
  EXPECT_EQ(ipckit_queue_unlink(name.c_str(), nullptr), 0);
  EXPECT_EQ(ipckit_queue_unlink(name.c_str(), nullptr), -ENOENT);
  EXPECT_EQ(open_result(name), -ENOENT);
}

TEST(Creating, TheModeIsWhatWasAskedWhateverTheUmask) {
  mode_t before = umask(0777);
  Queue plain;
  ipckit_queue_options_t options = {};
  options.mode = 0660;
  Queue shared(options);
  umask(before);
  struct stat file;
  ASSERT_EQ(stat(plain.path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600U);
  ASSERT_EQ(stat(shared.path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0660U);
}

TEST(Creating, RaceHasOneWinner) {
  const std::string name = random_name();
  Signpost created;
  std::vector<std::unique_ptr<Child>> children;
  for (int i = 0; i < 6; i++) {
    children.push_back(std::make_unique<Child>([&] {
      ipckit_queue_t* queue = nullptr;
      return ipckit_queue_open_or_create(name.c_str(), nullptr, nullptr, &queue);
    }));
  }
  int winners = 0;
  for (auto& child : children) {
    int code = child->join();
    EXPECT_LE(code, 1);
    winners += code == 1;
  }
  EXPECT_EQ(winners, 1);
  ipckit_queue_unlink(name.c_str(), nullptr);
}

TEST(Creating, OptionsOutOfRangeAreRefused) {
  using options = ipckit_queue_options_t;
  auto with = [](auto change) {
    options o = {};
    change(o);
    return create_result(o);
  };
  EXPECT_EQ(with([](options& o) { o.capacity = (1U << 24) + 1; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.dead_capacity = (1U << 24) + 1; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.priorities = 17; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.participants = 1; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.participants = 1025; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.block_bytes = 100; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.block_bytes = 32; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.max_message_bytes = (256ULL << 20) + 1; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.max_message_bytes = 1000, o.capacity_bytes = 999; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.capacity_bytes = ~0ULL; }), -EINVAL);
  EXPECT_EQ(with([](options& o) { o.max_deliveries = 40000; }), -EINVAL);
  const std::string long_name(128, 't');
  EXPECT_EQ(with([&](options& o) { o.type_name = long_name.c_str(); }), 0) << "it loses its end";
  EXPECT_EQ(with([](options& o) { o.capacity = 1, o.priorities = 1, o.participants = 2; }), 0);
}

TEST(Creating, TheLargestMessageIs256MiB) {
  ipckit_queue_options_t options = {};
  options.capacity = 1;
  options.max_message_bytes = 256ULL << 20;
  Queue queue(options);
  std::vector<char> bytes(256ULL << 20, 'x');
  bytes.front() = 'a';
  bytes.back() = 'z';
  ASSERT_EQ(ipckit_queue_put(queue, bytes.data(), bytes.size(), 0, 0), 0);
  std::vector<char> received(bytes.size());
  ASSERT_EQ(ipckit_queue_get(queue, received.data(), received.size(), nullptr, 0),
            static_cast<int64_t>(bytes.size()));
  EXPECT_TRUE(received == bytes);
}

TEST(Creating, NamesAreChecked) {
  ipckit_queue_t* queue = nullptr;
  for (const char* name : {"", "/", "a/b", "/a/b", "//"}) {
    EXPECT_EQ(ipckit_queue_create(name, nullptr, nullptr, &queue), -EINVAL) << name;
    EXPECT_EQ(ipckit_queue_unlink(name, nullptr), -EINVAL) << name;
  }
  EXPECT_EQ(ipckit_queue_create(std::string(201, 'x').c_str(), nullptr, nullptr, &queue), -ENAMETOOLONG);
  EXPECT_EQ(ipckit_queue_create(nullptr, nullptr, nullptr, &queue), -EFAULT);
  EXPECT_EQ(ipckit_queue_create("x", nullptr, nullptr, nullptr), -EFAULT);
}

TEST(Creating, ADirectoryWithoutRoomLeavesNothing) {
  // More than any tmpfs of a test machine has: the reservation fails, not an access later.
  ipckit_queue_options_t options = {};
  options.capacity_bytes = 1ULL << 39;
  options.block_bytes = 65536;
  options.max_message_bytes = 65536;
  options.capacity = 10;
  EXPECT_EQ(create_result(options), -ENOSPC);
}

TEST(Opening, AnotherTypeIsRefusedWithItsName) {
  ipckit_queue_options_t options = {};
  options.fingerprint = 1;
  options.type_name = "struct { i32 id; f64 price }";
  Queue queue(options);
  ipckit_queue_options_t other = {};
  other.fingerprint = 2;
  ipckit_refusal_t refusal;
  EXPECT_EQ(open_result(queue.name(), other, &refusal), IPCKIT_E_TYPE);
  EXPECT_STREQ(refusal.type_name, "struct { i32 id; f64 price }");
  EXPECT_EQ(refusal.fingerprint, 1U);
  other.fingerprint = 0;
  EXPECT_EQ(open_result(queue.name(), other), 0);
}

TEST(Opening, WhatIsNoRegularFileIsRefusedAtOnce) {
  Planted planted;
  ASSERT_EQ(mkfifo(planted.path(), 0600), 0);
  EXPECT_EQ(open_result(planted.name()), IPCKIT_E_NOT_REGULAR);
  ASSERT_EQ(unlink(planted.path()), 0);
  ASSERT_EQ(mkdir(planted.path(), 0700), 0);
  EXPECT_EQ(open_result(planted.name()), IPCKIT_E_NOT_REGULAR);
  ASSERT_EQ(rmdir(planted.path()), 0);
  ASSERT_EQ(symlink("/etc/passwd", planted.path()), 0);
  EXPECT_EQ(open_result(planted.name()), IPCKIT_E_NOT_REGULAR);
}

TEST(Opening, ForeignFilesAreRefused) {
  Planted planted;
  { std::ofstream file(planted.path()); }
  EXPECT_EQ(open_result(planted.name()), IPCKIT_E_NOT_A_QUEUE);
  { std::ofstream(planted.path()) << std::string(10000, 'x'); }
  EXPECT_EQ(open_result(planted.name()), IPCKIT_E_NOT_A_QUEUE);
}

TEST(Opening, OwnerModeAndLinksAreChecked) {
  Queue queue;
  ipckit_refusal_t refusal;
  ASSERT_EQ(chmod(queue.path().c_str(), 0602), 0);
  EXPECT_EQ(open_result(queue.name(), {}, &refusal), IPCKIT_E_MODE);
  EXPECT_EQ(refusal.mode, 0602U);
  ipckit_queue_options_t trusting = {};
  trusting.flags = IPCKIT_QUEUE_ANY_MODE;
  EXPECT_EQ(open_result(queue.name(), trusting), 0);
  ASSERT_EQ(chmod(queue.path().c_str(), 0600), 0);
  Planted second;
  ASSERT_EQ(link(queue.path().c_str(), second.path()), 0);
  EXPECT_EQ(open_result(queue.name(), {}, &refusal), IPCKIT_E_LINKS);
  EXPECT_EQ(refusal.links, 2U);
  ASSERT_EQ(unlink(second.path()), 0);
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_EQ(chown(queue.path().c_str(), 12345, 0), 0);
  EXPECT_EQ(open_result(queue.name(), {}, &refusal), IPCKIT_E_OWNER);
  EXPECT_EQ(refusal.owner, 12345U);
  trusting.flags = IPCKIT_QUEUE_ANY_OWNER;
  EXPECT_EQ(open_result(queue.name(), trusting), 0);
}

TEST(Opening, OtherVersionsByteOrdersAndSizesHaveErrorsOfTheirOwn) {
  Queue queue;
  const uint32_t newer = IPCKIT_LAYOUT_VERSION + 0x10000, minor = IPCKIT_LAYOUT_VERSION + 1, none = 0;
  const uint32_t version = IPCKIT_LAYOUT_VERSION;
  ipckit_refusal_t refusal;
  overwrite(queue.path(), 8, &newer, 4);
  EXPECT_EQ(open_result(queue.name(), {}, &refusal), IPCKIT_E_VERSION);
  EXPECT_EQ(refusal.version, newer);
  overwrite(queue.path(), 8, &none, 4);
  EXPECT_EQ(open_result(queue.name()), IPCKIT_E_CORRUPT);
  overwrite(queue.path(), 8, &minor, 4);
  EXPECT_EQ(open_result(queue.name()), 0) << "readers accept the same major";
  overwrite(queue.path(), 8, &version, 4);
  const uint32_t swapped = __builtin_bswap32(IPCKIT_LAYOUT_ORDER), order = IPCKIT_LAYOUT_ORDER;
  overwrite(queue.path(), 12, &swapped, 4);
  EXPECT_EQ(open_result(queue.name()), IPCKIT_E_BYTE_ORDER);
  overwrite(queue.path(), 12, &order, 4);
  EXPECT_EQ(open_result(queue.name()), 0);
  struct stat file;
  ASSERT_EQ(stat(queue.path().c_str(), &file), 0);
  ASSERT_EQ(truncate(queue.path().c_str(), file.st_size + 4096), 0);
  EXPECT_EQ(open_result(queue.name()), IPCKIT_E_SIZE);
}

TEST(Opening, EveryBitOfTheIdentityCounts) {
  Queue queue;
  int fd = open(queue.path().c_str(), O_RDWR | O_CLOEXEC);
  uint8_t identity[512];
  ASSERT_EQ(pread(fd, identity, sizeof identity, 0), 512);
  for (size_t bit = 0; bit < sizeof identity * 8; bit++) {
    if (bit / 8 >= 8 && bit / 8 < 10) continue;  // the minor version may differ
    uint8_t flipped = identity[bit / 8] ^ static_cast<uint8_t>(1 << bit % 8);
    ASSERT_EQ(pwrite(fd, &flipped, 1, static_cast<off_t>(bit / 8)), 1);
    ASSERT_LT(open_result(queue.name()), 0) << "bit " << bit;
    ASSERT_EQ(pwrite(fd, &identity[bit / 8], 1, static_cast<off_t>(bit / 8)), 1);
  }
  close(fd);
  EXPECT_EQ(open_result(queue.name()), 0);
}

TEST(Opening, AQueueMadeAnewHasAnotherId) {
  Queue first;
  ipckit_queue_stat_t before = stat_of(first);
  ASSERT_EQ(ipckit_queue_unlink(first.name().c_str(), nullptr), 0);
  ipckit_queue_t* second = nullptr;
  ASSERT_EQ(ipckit_queue_create(first.name().c_str(), nullptr, nullptr, &second), 0);
  EXPECT_NE(stat_of(second).id[0], before.id[0]);
  EXPECT_EQ(stat_of(first).unlinked, 1U);
  put(second, "x");
  EXPECT_EQ(get(first, 0), "<Resource temporarily unavailable>");
  ipckit_queue_close(second);
}

TEST(Opening, DirectoriesOtherThanTheUsualWork) {
  char directory[] = "/tmp/ipckit-test-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  ipckit_queue_options_t options = {};
  options.directory = directory;
  ipckit_queue_t *first = nullptr, *second = nullptr;
  ASSERT_EQ(ipckit_queue_create("elsewhere", &options, nullptr, &first), 0);
  ASSERT_EQ(ipckit_queue_open("/elsewhere", &options, nullptr, &second), 0);
  put(first, "x");
  EXPECT_EQ(get(second), "x");
  ipckit_queue_close(first);
  ipckit_queue_close(second);
  EXPECT_EQ(ipckit_queue_unlink("elsewhere", directory), 0);
  EXPECT_EQ(rmdir(directory), 0) << "nothing is left";
}

TEST(Closing, LeavesNoDescriptorAndNoMapping) {
  auto descriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) count += fcntl(fd, F_GETFD) >= 0;
    return count;
  };
  Queue queue;
  const int before = descriptors();
  for (int i = 0; i < 300; i++) ASSERT_EQ(open_result(queue.name()), 0);
  EXPECT_EQ(descriptors(), before);
  EXPECT_EQ(stat_of(queue).participants, 1U);
  EXPECT_EQ(ipckit_queue_close(nullptr), -EFAULT);
}
