// What the system may deny or do to a queue's users: no room, no memory, the pid of a dead one given to
// another, signals a thousand times a second, and more processes than there are places.
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support.h"

extern "C" {
#include "ring/queue.h"
}

static bool root() { return geteuid() == 0; }

/// Without the large buffer that `get` fills for each.
static std::string get_short(ipckit_queue_t* queue) {
  char buffer[64];
  const int64_t length = ipckit_queue_get(queue, buffer, sizeof buffer, nullptr, kPatience);
  return length < 0 ? ipckit_strerror(static_cast<int>(length)) : std::string(buffer, length);
}

static int create_in(const char* directory, uint64_t bytes, ipckit_queue_t** queue) {
  ipckit_queue_options_t options = {};
  options.directory = directory;
  options.capacity = 16;
  options.participants = 4;
  options.capacity_bytes = bytes;
  return ipckit_queue_create("queue", &options, nullptr, queue);
}

TEST(Space, AFullFileSystemIsAnErrorOfCreateAndNeverOneOfAPut) {
  if (!root()) GTEST_SKIP() << "only root mounts";
  Child child([] {
    char directory[] = "/tmp/ipckit-test-XXXXXX";
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      return 1;
    if (mkdtemp(directory) == nullptr || mount("tmpfs", directory, "tmpfs", 0, "size=1M") != 0) return 2;
    int code = 0;
    ipckit_queue_t* queue = nullptr;
    if (create_in(directory, 2 << 20, &queue) != -ENOSPC) code = 3;
    if (!std::filesystem::is_empty(directory)) code = 4;
    // Nothing of the attempt takes room either: one that fits is made, and can be filled to its end.
    if (create_in(directory, 900 << 10, &queue) != 0) return 5;
    const std::string large(8192, 'x');
    for (int i = 0; i < 16; i++) {
      if (put(queue, large, 0, 0) != 0) code = 6;
    }
    std::ofstream(std::string(directory) + "/rest") << std::string(1 << 20, 'x');
    for (int i = 0; i < 16; i++) {
      if (get(queue, 0) != large || put(queue, large, 0, 0) != 0) code = 7;
    }
    ipckit_queue_close(queue);
    umount2(directory, MNT_DETACH);
    rmdir(directory);
    return code;
  });
  EXPECT_EQ(child.join(), 0);
}

static uint64_t address_space() {
  uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

TEST(Memory, WithoutAddressSpaceOpeningFailsAndALaterAttemptWorks) {
  Queue queue;
  Child child([&] {
    // As much as it has, a sanitizer's shadow included, and a little more.
    const rlimit little = {address_space() + (64 << 20), RLIM_INFINITY};
    const rlimit enough = {RLIM_INFINITY, RLIM_INFINITY};
    ipckit_queue_options_t options = {};
    options.capacity_bytes = 256 << 20;
    const std::string name = random_name();
    ipckit_queue_t* large = nullptr;
    setrlimit(RLIMIT_AS, &little);
    const int refused = ipckit_queue_create(name.c_str(), &options, nullptr, &large);
    setrlimit(RLIMIT_AS, &enough);
    if (refused != -ENOMEM) return 1;
    if (ipckit_queue_unlink(name.c_str(), nullptr) != -ENOENT) return 2;
    ipckit_queue_t* mine = open_in_child(queue.name());
    return put(mine, "later") == 0 ? ipckit_queue_close(mine) : 3;
  });
  EXPECT_EQ(child.join(), 0);
  EXPECT_EQ(get(queue), "later");
  EXPECT_EQ(stat_of(queue).participants, 1U);
}

TEST(Memory, AFileLimitIsAnErrorOfCreate) {
  Child child([] {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit little = {1 << 20, RLIM_INFINITY};
    setrlimit(RLIMIT_FSIZE, &little);
    const std::string name = random_name();
    ipckit_queue_t* queue = nullptr;
    if (ipckit_queue_create(name.c_str(), nullptr, nullptr, &queue) != -EFBIG) return 1;
    return ipckit_queue_unlink(name.c_str(), nullptr) == -ENOENT ? 0 : 2;
  });
  EXPECT_EQ(child.join(), 0);
}

/// A memory cgroup that goes with its scope; none where the system does not let us make one.
class MemoryGroup {
 public:
  explicit MemoryGroup(uint64_t bytes) {
    for (const char* parent : {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"}) {
      const std::string place = std::string(parent) + "/ipckit-test-" + std::to_string(getpid());
      if (mkdir(place.c_str(), 0700) != 0) continue;
      path_ = place;
      for (const char* limit : {"memory.limit_in_bytes", "memory.max"}) {
        if (std::filesystem::exists(place + "/" + limit) && tell(limit, bytes)) return;
      }
      rmdir(place.c_str());
      path_.clear();
    }
  }
  MemoryGroup(const MemoryGroup&) = delete;
  MemoryGroup& operator=(const MemoryGroup&) = delete;
  ~MemoryGroup() {
    if (!path_.empty()) rmdir(path_.c_str());
  }
  bool there() const { return !path_.empty(); }
  bool enter() const { return tell("cgroup.procs", static_cast<uint64_t>(getpid())); }

 private:
  bool tell(const char* file, uint64_t value) const {
    std::ofstream stream(path_ + "/" + file);
    stream << value << std::flush;
    return stream.good();
  }
  std::string path_;
};

TEST(Memory, WhoIsKilledForWantOfItLeavesNothingHalfMadeAndGivesBackWhatItHeld) {
  MemoryGroup group(16 << 20);
  if (!group.there()) GTEST_SKIP() << "no memory cgroup can be made here";
  const std::string name = random_name();
  Child creator([&] {
    if (!group.enter()) return 1;
    ipckit_queue_options_t options = {};
    options.capacity_bytes = 64 << 20;
    ipckit_queue_t* queue = nullptr;
    return ipckit_queue_create(name.c_str(), &options, nullptr, &queue) < 0 ? 2 : 3;
  });
  const int code = creator.join();
  EXPECT_TRUE(code == 128 + SIGKILL || code == 2) << code;
  EXPECT_EQ(ipckit_queue_unlink(name.c_str(), nullptr), -ENOENT);
  Queue queue;
  put(queue, "job");
  Child holder([&] {
    ipckit_queue_t* mine = open_in_child(queue.name());
    ipckit_message_t message;
    lease(mine, &message);
    if (!group.enter()) return 1;
    std::vector<std::vector<char>> all;
    for (int i = 0; i < 64; i++) all.emplace_back(1 << 20, 'x');
    return 2;
  });
  EXPECT_EQ(holder.join(), 128 + SIGKILL);
  ipckit_message_t message;
  EXPECT_EQ(get(queue, kPatience, &message), "job");
  EXPECT_EQ(message.redelivered, 1U);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Files, OneThatGrewUnderItsUsersHarmsNobodyAndIsRefusedToNewcomers) {
  Queue queue;
  Guest guest(queue.name());
  put(queue, "before");
  struct stat file;
  ASSERT_EQ(stat(queue.path().c_str(), &file), 0);
  ASSERT_EQ(truncate(queue.path().c_str(), file.st_size * 2), 0);
  EXPECT_EQ(get(guest), "before");
  EXPECT_EQ(put(guest, "after"), 0);
  EXPECT_EQ(get(queue), "after");
  ipckit_queue_t* refused = nullptr;
  EXPECT_EQ(ipckit_queue_open(queue.name().c_str(), nullptr, nullptr, &refused), IPCKIT_E_SIZE);
}

TEST(Files, AnotherRenamedOverTheirNameIsAnotherQueue) {
  Queue first, second;
  Guest guest(first.name());
  put(first, "of the first");
  put(second, "of the second");
  ASSERT_EQ(rename(second.path().c_str(), first.path().c_str()), 0);
  EXPECT_EQ(get(guest), "of the first");
  EXPECT_EQ(stat_of(guest).unlinked, 1U);
  Guest newcomer(first.name());
  EXPECT_EQ(get(newcomer), "of the second");
  EXPECT_EQ(stat_of(guest).participants, 2U);
  EXPECT_EQ(stat_of(newcomer).participants, 2U);
}

/// A child with that pid, which must be free; -1 with errno where the kernel does not let us.
static pid_t fork_as(pid_t pid) {
  clone_args arguments = {};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<uint64_t>(&pid);
  arguments.set_tid_size = 1;
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
}

TEST(Pids, ThatOfADeadHolderGivenToAnotherDoesNotMakeItAlive) {
  for (int round = 0; round < 20; round++) {
    Queue queue;
    put(queue, "job");
    Signpost holding;
    pid_t holder = fork();
    if (holder == 0) {
      ipckit_queue_t* mine = open_in_child(queue.name());
      ipckit_message_t message;
      lease(mine, &message);
      if (round % 2 && ring_enter_both(mine) < 0) _exit(1);
      holding.reached();
      pause();
    }
    holding.await();
    kill(holder, SIGKILL);
    ASSERT_EQ(waitpid(holder, nullptr, 0), holder);
    // It has the queue open as well, in one round of two.
    Signpost there;
    pid_t heir = fork_as(holder);
    if (heir == 0) {
      if (round % 4 < 2) open_in_child(queue.name());
      there.reached();
      pause();
    }
    if (heir < 0 && (errno == EPERM || errno == ENOSYS))
      GTEST_SKIP() << "the kernel lets nobody choose a pid";
    ASSERT_EQ(heir, holder) << strerror(errno);
    there.await();
    ipckit_message_t message;
    EXPECT_EQ(get(queue, kPatience, &message), "job");
    EXPECT_EQ(message.delivery_count, 2U);
    EXPECT_EQ(ipckit_queue_verify(queue), 0);
    kill(heir, SIGKILL);
    waitpid(heir, nullptr, 0);
  }
}

/// Both sides of a queue from several namespaces, where the processes have the same pids: nothing may be lost
/// between them, and no lock taken twice.
TEST(Pids, EqualOnesInTwoNamespacesExcludeEachOtherAndDieForThemselves) {
  if (!root()) GTEST_SKIP() << "only root makes PID namespaces";
  constexpr int kEach = 10000;
  ipckit_queue_options_t options = {};
  options.capacity = 64;
  Queue queue(options);
  auto in_namespace = [&](auto run) {
    return std::make_unique<Child>([&queue, run] {
      if (unshare(CLONE_NEWPID) != 0) return 77;
      pid_t inner = fork();
      if (inner == 0) _exit(getpid() == 1 ? run(open_in_child(queue.name())) : 78);
      int status = 0;
      return waitpid(inner, &status, 0) == inner && WIFEXITED(status) ? WEXITSTATUS(status) : 79;
    });
  };
  std::vector<std::unique_ptr<Child>> children;
  for (int side = 0; side < 2; side++) {
    children.push_back(in_namespace([side](ipckit_queue_t* mine) {
      for (int i = 0; i < kEach; i++) {
        if (put(mine, std::to_string(side) + ":" + std::to_string(i)) != 0) return 1;
      }
      return 0;
    }));
  }
  int next[2] = {};
  for (int i = 0; i < 2 * kEach; i++) {
    const std::string text = get_short(queue);
    int& count = next[text[0] == '1'];
    ASSERT_EQ(text.substr(2), std::to_string(count++)) << text;
  }
  for (auto& child : children) EXPECT_EQ(child->join(), 0);
  // Both hold a message, and one of them dies with both locks.
  put(queue, "first");
  put(queue, "second");
  Signpost holding, go;
  auto survivor = in_namespace([&](ipckit_queue_t* mine) {
    ipckit_message_t message;
    if (lease(mine, &message) != "first") return 1;
    holding.reached();
    go.await();
    return ipckit_queue_ack(mine, &message.token) == 0 ? 0 : 2;
  });
  holding.await();
  auto victim = in_namespace([](ipckit_queue_t* mine) {
    ipckit_message_t message;
    if (lease(mine, &message) != "second") return 1;
    // Not by SIGKILL: the first process of a namespace does not get that from itself.
    return ring_enter_both(mine) < 0 ? 2 : 0;
  });
  EXPECT_EQ(victim->join(), 0);
  ipckit_message_t message;
  EXPECT_EQ(get(queue, kPatience, &message), "second");
  EXPECT_EQ(message.delivery_count, 2U);
  EXPECT_EQ(get(queue, 0), "<Resource temporarily unavailable>")
      << "the other one has the same pid, and lives";
  go.reached();
  EXPECT_EQ(survivor->join(), 0);
  EXPECT_EQ(stat_of(queue).depth + stat_of(queue).in_flight, 0U);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}

TEST(Signals, AThousandASecondAreNoErrorAndNoReasonToComeBackEarly) {
  Queue queue;
  Child worker([&] {
    struct sigaction nothing = {};
    nothing.sa_handler = [](int) {};
    sigaction(SIGUSR1, &nothing, nullptr);  // without SA_RESTART
    pid_t me = getpid();
    Child signaller([me] {
      while (kill(me, SIGUSR1) == 0) usleep(1000);
      return 0;
    });
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    while (std::chrono::steady_clock::now() < end) {
      ipckit_queue_t* mine = open_in_child(queue.name());
      const auto started = std::chrono::steady_clock::now();
      if (get(mine, 50 * kMillisecond) != "<Connection timed out>") return 1;
      if (std::chrono::steady_clock::now() - started < std::chrono::milliseconds(50)) return 2;
      if (put(mine, "x") != 0 || get(mine) != "x") return 3;
      ipckit_queue_t* own = nullptr;
      const std::string name = random_name();
      if (ipckit_queue_create(name.c_str(), nullptr, nullptr, &own) != 0) return 4;
      if (ipckit_queue_unlink(name.c_str(), nullptr) != 0) return 5;
      if (ipckit_queue_close(own) != 0 || ipckit_queue_close(mine) != 0) return 6;
    }
    return 0;
  });
  EXPECT_EQ(worker.join(), 0);
  EXPECT_EQ(stat_of(queue).participants, 1U);
}

TEST(Participants, TwoHundredAndFiftySixProcessesExchangeMessagesAndLoseNone) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kProcesses = 31;  // each has a shadow of its own
#else
  constexpr int kProcesses = 255;
#endif
  constexpr int kEach = 20;
  ipckit_queue_options_t options = {};
  options.participants = kProcesses + 1;
  options.capacity = 100;
  Queue queue(options);
  std::vector<std::unique_ptr<Child>> children;
  Signpost ready;
  int start[2];
  ASSERT_EQ(pipe(start), 0);
  std::atomic<uint64_t>* total = static_cast<std::atomic<uint64_t>*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < kProcesses; i++) {
    children.push_back(std::make_unique<Child>([&, i] {
      ipckit_queue_t* mine = open_in_child(queue.name());
      close(start[1]);
      ready.reached();
      char mark;
      if (read(start[0], &mark, 1) != 0) return 1;  // until the parent closes its end
      for (int n = 0; n < kEach; n++) {
        if (put(mine, std::to_string(i * kEach + n)) != 0) return 2;
        ipckit_message_t message;
        const std::string text = lease(mine, &message);
        if (ipckit_queue_ack(mine, &message.token) != 0) return 3;
        total->fetch_add(std::stoull(text));
      }
      return ipckit_queue_close(mine);
    }));
  }
  for (int i = 0; i < kProcesses; i++) ready.await();
  EXPECT_EQ(stat_of(queue).participants, kProcesses + 1U);
  ipckit_queue_t* refused = nullptr;
  EXPECT_EQ(ipckit_queue_open(queue.name().c_str(), nullptr, nullptr, &refused), IPCKIT_E_PARTICIPANTS);
  close(start[0]);
  close(start[1]);
  for (auto& child : children) EXPECT_EQ(child->join(), 0);
  constexpr uint64_t kAll = kProcesses * kEach;
  EXPECT_EQ(total->load(), kAll * (kAll - 1) / 2);
  EXPECT_EQ(stat_of(queue).total_done, kAll);
  EXPECT_EQ(stat_of(queue).participants, 1U);
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
  munmap(total, 4096);
}
