// What the other tests do not come by: names of errors, fingerprints, impossible geometries, other file
// systems, shutdowns and damage in the middle of a copy, and locks held during a recovery.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <functional>
#include <memory>

#include "support.h"

extern "C" {
#include "ring/queue.h"
}

TEST(Errors, HaveNamesAndSentences) {
  for (int code = -10017; code <= -10001; code++) {
    EXPECT_STRNE(ipckit_error_name(code), "") << code;
    EXPECT_STRNE(ipckit_strerror(code), ipckit_strerror(code - 1)) << code;
  }
  EXPECT_STREQ(ipckit_error_name(IPCKIT_E_CORRUPT), "CORRUPT");
  EXPECT_STREQ(ipckit_error_name(-EAGAIN), "") << "the kernel's have names elsewhere";
  EXPECT_STREQ(ipckit_strerror(-ENOENT), strerror(ENOENT));
  EXPECT_STREQ(ipckit_strerror(0), "success");
  EXPECT_STREQ(ipckit_version(), "1.0.0");
}

TEST(Fingerprints, AreFnv1a) {
  EXPECT_EQ(ipckit_fingerprint(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(ipckit_fingerprint("a"), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(ipckit_fingerprint("foobar"), 0x85944171f73967e8ULL);
}

TEST(Names, TellWhetherTheQueueStillHasOne) {
  Queue queue;
  EXPECT_EQ(ipckit_queue_is_unlinked(queue), 0);
  ASSERT_EQ(ipckit_queue_unlink(queue.name().c_str(), nullptr), 0);
  EXPECT_EQ(ipckit_queue_is_unlinked(queue), 1);
}

TEST(Geometry, EachNumberHasItsRange) {
  ring_geometry sound = {};
  sound.capacity = 8;
  sound.dead_capacity = 2;
  sound.cells = 10;
  sound.priorities = 2;
  sound.participants = 4;
  sound.blocks = 4;
  sound.block_bytes = 64;
  sound.max_message_bytes = 200;
  sound.capacity_bytes = 256;
  ASSERT_TRUE(ring_geometry_derive(&sound));
  auto with = [&](auto change) {
    ring_geometry g = sound;
    change(g);
    return ring_geometry_derive(&g);
  };
  using geometry = ring_geometry;
  EXPECT_FALSE(with([](geometry& g) { g.capacity = 0, g.cells = 2; }));
  EXPECT_FALSE(with([](geometry& g) { g.capacity = (1U << 24) + 1, g.cells = g.capacity + 2; }));
  EXPECT_FALSE(with([](geometry& g) { g.dead_capacity = ~0U, g.cells = 7; })) << "their sum went round";
  EXPECT_FALSE(with([](geometry& g) { g.cells = 11; }));
  EXPECT_FALSE(with([](geometry& g) { g.priorities = 0; }));
  EXPECT_FALSE(with([](geometry& g) { g.priorities = 17; }));
  EXPECT_FALSE(with([](geometry& g) { g.participants = 1; }));
  EXPECT_FALSE(with([](geometry& g) { g.participants = 1025; }));
  EXPECT_FALSE(with([](geometry& g) { g.block_bytes = 32; }));
  EXPECT_FALSE(with([](geometry& g) { g.block_bytes = 1U << 17; }));
  EXPECT_FALSE(with([](geometry& g) { g.block_bytes = 96; }));
  EXPECT_FALSE(with([](geometry& g) { g.max_message_bytes = (256ULL << 20) + 1; }));
  EXPECT_FALSE(with([](geometry& g) { g.capacity_bytes = (1ULL << 40) + 1; }));
  EXPECT_FALSE(with([](geometry& g) { g.blocks = (1U << 28) + 1; }));
  EXPECT_FALSE(with([](geometry& g) { g.max_deliveries = 0x8000; }));
  EXPECT_FALSE(with([](geometry& g) { g.max_message_bytes = 257; })) << "no room for the largest";
}

TEST(Creating, ADirectoryThatIsNotThereIsSaidToBe) {
  ipckit_queue_options_t options = {};
  options.directory = "/nonexistent-of-ipckit";
  ipckit_queue_t* queue = nullptr;
  EXPECT_EQ(ipckit_queue_create("x", &options, nullptr, &queue), -ENOENT);
  EXPECT_EQ(ipckit_queue_open("x", &options, nullptr, &queue), -ENOENT);
  const std::string longer(PATH_MAX, 'd');
  options.directory = longer.c_str();
  EXPECT_EQ(ipckit_queue_create("x", &options, nullptr, &queue), -ENAMETOOLONG);
}

TEST(Creating, ABlockCountAboveTheLimitIsRefused) {
  ipckit_queue_options_t options = {};
  options.capacity_bytes = 1ULL << 40;
  options.block_bytes = 64;
  ipckit_queue_t* queue = nullptr;
  EXPECT_EQ(ipckit_queue_create(random_name().c_str(), &options, nullptr, &queue), -EINVAL);
}

TEST(Creating, WithoutProcItTakesATemporaryNameAndLeavesNone) {
  if (geteuid() != 0) GTEST_SKIP() << "only root mounts";
  Child child([] {
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return 1;
    if (mount("tmpfs", "/proc", "tmpfs", 0, nullptr) != 0) return 2;
    const std::string name = random_name(), path = "/dev/shm/ipckit." + name.substr(1);
    ipckit_queue_t *first = nullptr, *second = nullptr;
    if (ipckit_queue_create(name.c_str(), nullptr, nullptr, &first) != 0) return 3;
    if (ipckit_queue_create(name.c_str(), nullptr, nullptr, &second) != -EEXIST) return 4;
    if (put(first, "x") != 0 || get(first) != "x") return 5;
    ipckit_queue_close(first);
    struct stat file;
    if (stat(path.c_str(), &file) != 0 || file.st_nlink != 1) return 6;
    ipckit_queue_unlink(name.c_str(), nullptr);
    // The loser's temporary file is gone as well, or scripts/isolated.mjs finds it.
    return 0;
  });
  EXPECT_EQ(child.join(), 0);
}

TEST(Opening, OrCreatingGivesUpWhenTheFileIsNoQueue) {
  const std::string name = random_name();
  const std::string path = "/dev/shm/ipckit." + name.substr(1);
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ipckit_queue_t* queue = nullptr;
  EXPECT_EQ(ipckit_queue_open_or_create(name.c_str(), nullptr, nullptr, &queue), IPCKIT_E_NOT_A_QUEUE);
  EXPECT_EQ(ipckit_queue_open_or_create(name.c_str(), nullptr, nullptr, nullptr), -EFAULT);
  close(fd);
  unlink(path.c_str());
}

TEST(Rejecting, WithoutRoomForDeadLettersEndsTheMessage) {
  Queue queue;
  put(queue, "x");
  ipckit_message_t message;
  lease(queue, &message);
  EXPECT_EQ(ipckit_queue_reject(queue, &message.token), 0);
  EXPECT_EQ(stat_of(queue).total_dropped, 1U);
  EXPECT_EQ(stat_of(queue).total_done, 1U);
  char buffer[8];
  EXPECT_EQ(ipckit_queue_get_dead(queue, buffer, sizeof buffer, nullptr), -EAGAIN);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

// A payload in memory that is not there yet: the fault comes in the middle of a copy, while no lock is held,
// and what happens then is up to the test.
class Interrupted {
 public:
  explicit Interrupted(std::function<void()> then) : size_(2 * getpagesize()) {
    bytes_ =
        static_cast<char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(bytes_ + size_ / 2, size_ / 2, PROT_NONE);
    current = this;
    then_ = std::move(then);
    struct sigaction ours = {};
    ours.sa_sigaction = [](int, siginfo_t* info, void*) {
      auto* at = static_cast<char*>(info->si_addr);
      if (!current || at < current->bytes_ || at >= current->bytes_ + current->size_) _exit(99);
      mprotect(current->bytes_, current->size_, PROT_READ | PROT_WRITE);
      current->then_();
    };
    ours.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &ours, &before_);
  }
  Interrupted(const Interrupted&) = delete;
  Interrupted& operator=(const Interrupted&) = delete;
  ~Interrupted() {
    sigaction(SIGSEGV, &before_, nullptr);
    current = nullptr;
    munmap(bytes_, size_);
  }
  int put_into(ipckit_queue_t* queue) { return ipckit_queue_put(queue, bytes_, size_, 0, kPatience); }
  size_t size() const { return size_; }

 private:
  static inline Interrupted* current = nullptr;
  size_t size_;
  char* bytes_;
  std::function<void()> then_;
  struct sigaction before_ = {};
};

static ipckit_queue_options_t for_large() {
  ipckit_queue_options_t options = {};
  options.capacity = 4;
  options.max_message_bytes = 4 * getpagesize();
  options.copy_outside_bytes = 100;
  options.block_bytes = 1024;
  return options;
}

TEST(LargePuts, AreRefusedWhenTheQueueIsShutDownInTheMiddle) {
  Queue queue(for_large());
  Guest guest(queue.name());
  {
    Interrupted payload([&] { ipckit_queue_shutdown(guest, 0); });
    EXPECT_EQ(payload.put_into(queue), IPCKIT_E_SHUTDOWN);
  }
  ipckit_queue_stat_t stat = stat_of(queue);
  EXPECT_EQ(stat.total_put, 0U);
  EXPECT_EQ(stat.free_bytes, stat.capacity_bytes) << "its room went back";
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(LargePuts, FindDamageInTheMiddle) {
  {
    Queue queue(for_large());
    ipckit_queue_t* q = queue;
    // Blocks in no order are copied one by one.
    for (uint32_t i = 0; i < q->g.blocks; i++) q->free_blocks[i] = q->g.blocks - 1 - i;
    Interrupted payload([&] {
      for (uint32_t i = 0; i < q->g.blocks; i++) q->links[i] = IPCKIT_LAYOUT_NONE;
    });
    EXPECT_EQ(payload.put_into(queue), IPCKIT_E_CORRUPT) << "of its links";
  }
  for (bool open : {true, false}) {
    Queue queue(for_large());
    ipckit_queue_t* q = queue;
    Interrupted payload([&] {
      for (uint32_t i = 0; i < q->g.cells; i++) q->cells[i].truth = ring_truth(IPCKIT_CELL_READY, 0, 0, 9);
      if (!open) q->h->state = IPCKIT_STATE_DRAIN;
    });
    EXPECT_EQ(payload.put_into(queue), IPCKIT_E_CORRUPT) << "of its truth word";
  }
  Queue queue(for_large());
  ipckit_queue_t* q = queue;
  Interrupted payload([&] { q->h->state = 99; });
  EXPECT_EQ(payload.put_into(queue), IPCKIT_E_CORRUPT) << "of the state";
}

TEST(LargePuts, AreLeftAloneByARebuildInTheMiddle) {
  Queue queue(for_large());
  Guest guest(queue.name());
  ASSERT_EQ(put(queue, "to be cleared"), 0);
  Interrupted payload([&] { EXPECT_EQ(ipckit_queue_clear(guest), 1); });
  EXPECT_EQ(payload.put_into(queue), 0);
  EXPECT_EQ(get(queue, 0).size(), payload.size());
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(LargePuts, WaitForRoomInMessagesAsWell) {
  Queue queue(for_large());
  for (int i = 0; i < 4; i++) ASSERT_EQ(put(queue, std::string(1000, 'x')), 0);
  EXPECT_EQ(put(queue, std::string(1000, 'x'), 0, 0), -EAGAIN);
  EXPECT_EQ(put(queue, std::string(1000, 'x'), 0, kMillisecond), -ETIMEDOUT);
}

TEST(Recovery, LetsGoOfOneSideWhenALivingOwnerHoldsTheOther) {
  Queue queue;
  Guest guest(queue.name());
  ipckit_queue_t* mine = queue;
  ipckit_queue_t* other = guest;
  const uint32_t nobody = 77 | 3 << 11;
  mine->h->producer_lock = nobody;
  mine->h->consumer_lock = other->people.tag;
  EXPECT_EQ(put(queue, "x"), IPCKIT_E_HELD);
  EXPECT_EQ(mine->h->producer_lock & ~RING_LOCK_SLEEPERS, nobody) << "still the mark that a rebuild is due";
  EXPECT_EQ(mine->h->recovery_lock, 0U);
  mine->h->producer_lock = 0;
  mine->h->consumer_lock = other->people.tag;
  EXPECT_EQ(get(queue, 0), std::string("<") + ipckit_strerror(IPCKIT_E_HELD) + ">");
  ipckit_queue_stat_t stat;
  EXPECT_EQ(ipckit_queue_stat(queue, &stat), 0) << "who looks for the reason must not stand still";
  EXPECT_EQ(stat.capacity, 1024U);
  int64_t end = 0;
  EXPECT_EQ(ring_recover(mine, &end), IPCKIT_E_HELD);
  EXPECT_EQ(mine->h->producer_lock, 0U) << "what it took it gave back";
  mine->h->consumer_lock = 0;
  EXPECT_EQ(put(queue, "x"), 0);
  EXPECT_EQ(get(queue), "x");
}

TEST(Recovery, WaitsForNobodyWhoHoldsItsOwnLock) {
  Queue queue;
  Guest guest(queue.name());
  ipckit_queue_t* mine = queue;
  ipckit_queue_t* other = guest;
  mine->h->recovery_lock = other->people.tag;
  int64_t end = 0;
  EXPECT_EQ(ring_recover(mine, &end), IPCKIT_E_HELD);
  mine->h->recovery_lock = 0;
  mine->h->producer_lock = other->people.tag;
  end = 0;
  EXPECT_EQ(ring_recover(mine, &end), IPCKIT_E_HELD);
  EXPECT_EQ(mine->h->recovery_lock, 0U);
  mine->h->producer_lock = 0;
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Recovery, KnowsNoOtherStatesOfACell) {
  Queue queue;
  ipckit_queue_t* q = queue;
  q->cells[3].truth = ring_truth(7, 0, 0, 1);
  int64_t end = 0;
  EXPECT_EQ(ring_recover(q, &end), IPCKIT_E_CORRUPT);
  EXPECT_EQ(put(queue, "x"), IPCKIT_E_CORRUPT) << "and everyone is told";
}

TEST(Handles, WhosePlaceWasTakenAreOfNoUse) {
  Queue queue;
  put(queue, "x");
  ipckit_queue_t* q = queue;
  uint32_t* word = &q->people.table[q->people.slot].word;
  const uint32_t sound = *word;
  *word = sound + 4;
  EXPECT_EQ(put(queue, "y"), -EBADF) << "somebody else's epoch stands in our place";
  *word = sound;
  EXPECT_EQ(put(queue, "y"), 0);
}

TEST(Participants, ALastLookAtAnImpossibleTimeIsNoLook) {
  // Of the clock of another time namespace, or scribbled over; sums of it must not go round.
  for (uint64_t common : {~0ULL, 1ULL << 63, (1ULL << 63) - 1}) {
    int64_t mine = 0;
    EXPECT_TRUE(ring_people_look_due(&mine, &common));
    EXPECT_EQ(static_cast<int64_t>(common), mine);
    EXPECT_FALSE(ring_people_look_due(&mine, &common)) << "it was just now";
  }
}

TEST(Participants, APlaceWhoseByteIsLockedIsPassedOver) {
  Queue queue;
  ipckit_queue_t* q = queue;
  // Somebody who is about to take place 1: the byte is locked, the word is not set yet.
  const int fd = open(queue.path().c_str(), O_RDWR | O_CLOEXEC);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_start = IPCKIT_LAYOUT_LOCKS + 1;
  lock.l_len = 1;
  ASSERT_EQ(fcntl(fd, F_OFD_SETLK, &lock), 0);
  Guest guest(queue.name());
  ipckit_queue_t* other = guest;
  EXPECT_EQ(other->people.slot, 2U);
  EXPECT_NE(other->people.tag, q->people.tag);
  close(fd);
}

/// In memory that is none of ours: of a file without bytes.
static void cause_bus_error() {
  auto* mine = static_cast<volatile char*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memfd_create("x", MFD_CLOEXEC), 0));
  mine[0] = 1;
}

TEST(Guard, ABusErrorOfOthersReachesAHandlerThatWantsToKnowMore) {
  Child child([] {
    struct sigaction before = {};
    before.sa_sigaction = [](int, siginfo_t* info, void*) { leave(info->si_code == BUS_ADRERR ? 42 : 41); };
    before.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &before, nullptr);
    Queue queue;
    ipckit_queue_unlink(queue.name().c_str(), nullptr);
    cause_bus_error();
    return 3;
  });
  EXPECT_EQ(child.join(), 42);
}

TEST(Guard, ABusErrorOfOthersEndsTheProcessAsWithoutUs) {
  Child child([] {
    signal(SIGBUS, SIG_DFL);
    Queue queue;
    ipckit_queue_unlink(queue.name().c_str(), nullptr);
    cause_bus_error();
    return 3;
  });
  // The address sanitizer has a handler of its own, which is passed on to and reports.
  EXPECT_NE(child.join(), 3);
}

TEST(Tasks, AreMovedWhenTheirRoomIsUsedUp) {
  ipckit_queue_options_t options = {};
  options.flags = IPCKIT_QUEUE_JOINABLE;
  Queue queue(options);
  for (int i = 0; i < 300; i++) ASSERT_EQ(put(queue, std::to_string(i)), 0);
  for (int i = 0; i < 3; i++) get(queue);
  for (int i = 3; i < 300; i++) {
    ASSERT_EQ(get(queue), std::to_string(i));
    ASSERT_EQ(ipckit_queue_task_done(queue), 0);
  }
  for (int i = 0; i < 3; i++) ASSERT_EQ(ipckit_queue_task_done(queue), 0);
  EXPECT_EQ(ipckit_queue_task_done(queue), IPCKIT_E_TASKS);
  EXPECT_EQ(ipckit_queue_join(queue, 0), 0);
}
