// A process that writes nonsense over the whole mapping of a queue, at random and where it hurts (lengths,
// indices, truth words, numbers, owners, locks), against four victims that use it: none may crash, touch a
// byte before or after the mapping or its own buffers, or be kept for two seconds. Built with the sanitizers
// by .ci/lanes/hostile.sh; prints its seed and what the victims saw.
//
//   hostile [--seconds N] [--seed N]
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "ring/queue.h"
}

constexpr size_t kLargest = 600;
constexpr size_t kGuard = 1 << 20;
constexpr int kVictims = 4;
constexpr uint8_t kCanary = 0xa5;

// What the victims tell, in memory of their own.
struct Report {
  uint64_t calls, good, corrupt, held, other;
  int64_t slowest;
};

static std::string name;
static unsigned seed;
static Report* reports;

// The core maps its files here, by the linker's --wrap, between two pieces that nobody may touch.
extern "C" {
void* __real_mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void* at, size_t size);
void* __wrap_mmap(void* at, size_t size, int protection, int flags, int fd, off_t offset) {
  if (at != nullptr || !(flags & MAP_SHARED)) return __real_mmap(at, size, protection, flags, fd, offset);
  void* whole =
      __real_mmap(nullptr, size + 2 * kGuard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (whole == MAP_FAILED) return whole;
  return __real_mmap(static_cast<uint8_t*>(whole) + kGuard, size, protection, flags | MAP_FIXED, fd, offset);
}
int __wrap_munmap(void* at, size_t size) {
  return __real_munmap(static_cast<uint8_t*>(at) - kGuard, size + 2 * kGuard);
}
}

static void fail(const char* why, int64_t value) {
  fprintf(stderr, "hostile: seed %u: %s (%lld)\n", seed, why, static_cast<long long>(value));
  abort();
}

/// A private buffer between canaries; on the heap, where the sanitizer looks too.
class Guarded {
 public:
  explicit Guarded(size_t size) : bytes_(size + 128, kCanary), size_(size) {}
  uint8_t* data() { return bytes_.data() + 64; }
  size_t size() const { return size_; }
  void check() const {
    for (size_t i = 0; i < 64; i++) {
      if (bytes_[i] != kCanary || bytes_[bytes_.size() - 1 - i] != kCanary)
        fail("a byte beside a buffer changed", 0);
    }
  }

 private:
  std::vector<uint8_t> bytes_;
  size_t size_;
};

static ipckit_queue_t* open_queue() {
  // What the writer did to the table may refuse us for a while.
  for (int attempt = 0; attempt < 1000; attempt++) {
    ipckit_queue_t* q = nullptr;
    const int result = ipckit_queue_open(name.c_str(), nullptr, nullptr, &q);
    if (result == 0) return q;
    if (result > -10000 && result != -EBADF) fail("an open gave", result);
    usleep(1000);
  }
  return nullptr;
}

static int64_t call(ipckit_queue_t* q, std::mt19937& random, Guarded& buffer, Guarded& slab) {
  static ipckit_token_t tokens[4];
  ipckit_message_t message = {}, messages[4];
  const ipckit_token_t* token = &tokens[random() % 4];
  int64_t result;
  switch (random() % 20) {
    case 0:
    case 1:
    case 2:
      return ipckit_queue_try_put(q, buffer.data(), random() % (kLargest + 1), random() % 4);
    case 3: {
      ipckit_slice_t slices[] = {{buffer.data(), 10, 0}, {buffer.data(), 90, 1}, {buffer.data(), 350, 2}};
      return ipckit_queue_put_many(q, slices, 3, 0);
    }
    case 4:
    case 5:
      result = ipckit_queue_try_get(q, buffer.data(), buffer.size(), &message);
      if (result > static_cast<int64_t>(kLargest)) fail("a get gave", result);
      return result;
    case 6:
    case 7:
      result =
          ipckit_queue_lease(q, buffer.data(), buffer.size(), &message, random() % 2 * RING_MILLISECOND, 0);
      if (result > static_cast<int64_t>(kLargest)) fail("a lease gave", result);
      if (result >= 0) tokens[random() % 4] = message.token;
      return result;
    case 8:
      return ipckit_queue_ack(q, token);
    case 9:
      return ipckit_queue_nack(q, token, random() % 3);
    case 10:
      return ipckit_queue_extend(q, token, random() % 1000);
    case 11:
      return ipckit_queue_reject(q, token);
    case 12:
      result = ipckit_queue_get_many(q, slab.data(), slab.size(), messages, 4, 0);
      for (int64_t i = 0; i < result; i++) {
        if (messages[i].offset + messages[i].length > slab.size())
          fail("a batch ends at", messages[i].length);
      }
      return result;
    case 13:
      return ipckit_queue_peek(q, buffer.data(), buffer.size(), &message);
    case 14:
      return ipckit_queue_get_dead(q, buffer.data(), buffer.size(), &message);
    case 15: {
      ipckit_queue_stat_t stat;
      return ipckit_queue_stat(q, &stat);
    }
    case 16:
      return ipckit_queue_sweep(q);
    case 17:
      return random() % 16 == 0 ? ipckit_queue_clear(q) : ipckit_queue_verify(q);
    case 18:
      return ipckit_queue_get(q, buffer.data(), buffer.size(), nullptr, RING_MILLISECOND);
    default: {
      ipckit_wait_word_t words[IPCKIT_WAIT_WORDS];
      int64_t bound;
      return ipckit_queue_arm(q, 7, 100, words, &bound);
    }
  }
}

static int64_t thread_time() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * RING_SECOND + now.tv_nsec;
}

static void victim(int number, int64_t end) {
  std::mt19937 random(seed + static_cast<unsigned>(number));
  Report* report = &reports[number];
  Guarded buffer(kLargest), slab(2 * kLargest);
  ipckit_queue_t* q = nullptr;
  while (ring_now() < end) {
    if (q == nullptr && (q = open_queue()) == nullptr) continue;
    const int64_t cpu = thread_time(), wall = ring_now();
    const int64_t result = call(q, random, buffer, slab);
    const int64_t took = ring_now() - wall;
    // Two seconds of its own; more by the clock on the wall, since others use the processors too.
    if (thread_time() - cpu >= 2 * RING_SECOND || took >= 8 * RING_SECOND) fail("a call took ns", took);
    buffer.check();
    slab.check();
    report->calls++;
    report->slowest = std::max(report->slowest, took);
    if (result >= 0)
      report->good++;
    else if (result == IPCKIT_E_CORRUPT)
      report->corrupt++;
    else if (result == IPCKIT_E_HELD)
      report->held++;
    else
      report->other++;
    // Its place was taken from it: it comes again. Now and then anyway, so that opening and closing are
    // tried.
    if (result == -EBADF || random() % 20000 == 0) {
      ipckit_queue_close(q);
      q = nullptr;
    }
  }
  if (q != nullptr) ipckit_queue_close(q);
}

/// Writes until it is killed. The identity is left alone at times, or nobody could open the queue again.
static void writer(const ring_geometry& g) {
  const int fd = open(("/dev/shm/ipckit." + name).c_str(), O_RDWR | O_CLOEXEC);
  auto* bytes = static_cast<volatile uint8_t*>(
      __real_mmap(nullptr, g.total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (fd < 0 || bytes == MAP_FAILED) _exit(1);
  std::vector<uint8_t> sound(g.total_bytes);
  for (size_t i = 0; i < g.total_bytes; i++) sound[i] = bytes[i];
  std::mt19937 random(seed - 1);
  auto word = [&](size_t at) { return reinterpret_cast<volatile uint32_t*>(bytes + (at & ~size_t{3})); };
  for (uint64_t round = 0;; round++) {
    const uint32_t values[] = {static_cast<uint32_t>(random()), 0xffffffff,
                               static_cast<uint32_t>(random() % 16), 0, 1U << random() % 32};
    const uint32_t value = values[random() % 5];
    const size_t cell = g.cells_at + random() % g.cells * sizeof(ipckit_layout_cell_t);
    switch (random() % 10) {
      case 0:  // anywhere behind the identity
        *word(512 + random() % (g.total_bytes - 516)) = value;
        break;
      case 1:  // counters, heads, tails, heaps, events
        *word(512 + random() % 1408) = value;
        break;
      case 2:  // state and owner of a truth word
        *word(cell + 4) =
            static_cast<uint32_t>(ring_truth(random() % 8, random() % 8, random() % 4, 0) >> 32);
        break;
      case 3:
        *word(cell + random() % 56) = value;
        break;
      case 4:  // lists: rings, free cells, heaps, free blocks, links
        *word(g.rings_at + random() % (g.blocks_at - g.rings_at)) = random() % 2 ? value : random() % g.cells;
        break;
      case 5:  // a lock of somebody, dead or alive; of the living not for long
        *word(640 + (random() % 2   ? 0
                     : random() % 2 ? 128
                                    : 512)) =
            random() % 64 == 0 ? (random() % 6 + 1) | (random() % 4) << 11 : 0;
        break;
      case 6:  // who is attached
        if (random() % 64 == 0) *word(g.people_at + random() % g.participants * 128) = random() % 64;
        break;
      case 7:  // the identity, which only those who open read
        if (random() % 64 == 0) *word(random() % 512) = value;
        break;
      default:  // made whole again, so that there is something to break
        if (random() % 8 == 0) {
          for (size_t i = 0; i < 640; i++) bytes[i] = sound[i];
        }
        if (random() % 16 == 0) {
          for (size_t i = 640; i < g.total_bytes; i++) {
            if (i < g.people_at || i >= g.cells_at) bytes[i] = sound[i];
          }
        }
        for (size_t lock : {640, 768, 1152}) *word(lock) = 0;
    }
    // Whoever found the damage marked the queue; then there is nothing more to see.
    if (random() % 2) *word(512) = IPCKIT_STATE_OPEN;
    if (round % 16 == 0) usleep(1);
  }
}

int main(int argc, char** argv) {
  int64_t seconds = 60;
  seed = std::random_device()();
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--seconds") == 0) seconds = atoll(argv[i + 1]);
    if (strcmp(argv[i], "--seed") == 0) seed = static_cast<unsigned>(atoll(argv[i + 1]));
  }
  setbuf(stdout, nullptr);
  printf("hostile: seed %u, %lld s\n", seed, static_cast<long long>(seconds));
  name = "ipckit-hostile-" + std::to_string(getpid()) + "-" + std::to_string(seed);
  reports = static_cast<Report*>(
      __real_mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  ipckit_queue_options_t options = {};
  options.capacity = 8;
  options.dead_capacity = 3;
  options.max_message_bytes = kLargest;
  options.capacity_bytes = 4096;
  options.block_bytes = 64;
  options.copy_outside_bytes = 300;
  options.participants = 8;
  options.max_deliveries = 3;
  options.priorities = 4;
  ipckit_queue_t* q = nullptr;
  const int created = ipckit_queue_create(name.c_str(), &options, nullptr, &q);
  if (created < 0) fail("the queue was not created", created);
  const ring_geometry geometry = q->g;
  ipckit_queue_close(q);

  const int64_t end = ring_now() + seconds * RING_SECOND;
  std::vector<pid_t> victims;
  const pid_t hostile = fork();
  if (hostile == 0) writer(geometry);
  for (int i = 0; i < kVictims; i++) {
    const pid_t pid = fork();
    if (pid == 0) {
      victim(i, end);
      // By exit, which looks for leaks.
      exit(0);
    }
    victims.push_back(pid);
  }
  int failed = 0;
  for (int i = 0; i < kVictims; i++) {
    int status = 0;
    waitpid(victims[i], &status, 0);
    const Report& r = reports[i];
    printf("victim %d: %llu calls, %llu good, %llu corrupt, %llu held, %llu other, slowest %.3f s, %s %d\n",
           i, static_cast<unsigned long long>(r.calls), static_cast<unsigned long long>(r.good),
           static_cast<unsigned long long>(r.corrupt), static_cast<unsigned long long>(r.held),
           static_cast<unsigned long long>(r.other), static_cast<double>(r.slowest) / RING_SECOND,
           WIFSIGNALED(status) ? "SIGNAL" : "exit",
           WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    // A run in which nothing ever worked, or nothing was ever damaged, shows nothing.
    failed += status != 0 || r.good < 100 || r.corrupt < 100;
  }
  int status = 0;
  // The writer must have lived until now.
  failed += waitpid(hostile, &status, WNOHANG) != 0;
  kill(hostile, SIGKILL);
  waitpid(hostile, &status, 0);
  ipckit_queue_unlink(name.c_str(), nullptr);
  return failed > 0;
}
