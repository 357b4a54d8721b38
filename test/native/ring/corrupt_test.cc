// A writer that scribbles over the mapping, and files that are cut short: the queue may say that it is
// damaged, and nothing else may happen. Run under AddressSanitizer, these are the memory safety of the core.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <chrono>

#include "small_queue.h"
#include "support.h"

extern "C" {
#include "ring/queue.h"
}

/// One of each operation, with results of every kind, none of them worse than an error.
static void use(ipckit_queue_t* queue, std::mt19937& random) {
  char buffer[kLargest + 16];
  memset(buffer, 'x', sizeof buffer);
  ipckit_message_t message = {};
  ipckit_message_t messages[3];
  auto sane = [](int64_t result) { EXPECT_LE(result, static_cast<int64_t>(2 * kLargest)); };
  for (int turn = 0; turn < 4; turn++) {
    sane(ipckit_queue_try_put(queue, buffer, random() % (kLargest + 1), random() % 10));
    sane(ipckit_queue_try_get(queue, buffer, kLargest, &message));
    if (ipckit_queue_lease(queue, buffer, kLargest, &message, random() % 2, 0) >= 0) {
      EXPECT_LE(message.length, kLargest);
      switch (random() % 4) {
        case 0:
          ipckit_queue_ack(queue, &message.token);
          break;
        case 1:
          ipckit_queue_nack(queue, &message.token, random() % 3);
          break;
        case 2:
          ipckit_queue_extend(queue, &message.token, random() % 3);
          break;
        case 3:
          ipckit_queue_reject(queue, &message.token);
          break;
      }
    }
    char slab[2 * kLargest];
    sane(ipckit_queue_get_many(queue, slab, sizeof slab, messages, 3, 0));
    sane(ipckit_queue_get_dead(queue, buffer, kLargest, &message));
    sane(ipckit_queue_peek(queue, buffer, kLargest, &message));
  }
  ipckit_queue_stat_t stat;
  ipckit_queue_stat(queue, &stat);
  ipckit_queue_sweep(queue);
  ipckit_queue_join(queue, 0);
  if (random() % 4 == 0) ipckit_queue_clear(queue);
}

static void fill(ipckit_queue_t* queue) {
  for (int i = 0; i < 5; i++) ASSERT_EQ(put(queue, std::string(i * 100, 'x'), i % 2), 0);
  ipckit_message_t message;
  lease(queue, &message);
  lease(queue, &message, kSecond);
  ipckit_queue_nack(queue, &message.token, 0);
}

TEST(Corruption, EveryFlippedBitOfTheHeaderAndACellIsAnErrorOrNothing) {
  Queue queue(small_queue());
  ipckit_queue_t* handle = queue;
  fill(queue);
  std::vector<uint8_t> sound(reinterpret_cast<uint8_t*>(handle->h),
                             reinterpret_cast<uint8_t*>(handle->h) + handle->map.bytes);
  std::mt19937 random(1);
  // All words in use of the header, my place in the table, and the first cells.
  std::vector<std::pair<size_t, size_t>> ranges = {{512, 1600},
                                                   {handle->g.people_at, handle->g.people_at + 8},
                                                   {handle->g.cells_at, handle->g.cells_at + 256}};
  auto started = std::chrono::steady_clock::now();
  size_t flips = 0, noticed = 0;
  for (auto [from, to] : ranges) {
    for (size_t bit = from * 8; bit < to * 8; bit++, flips++) {
      uint8_t* bytes = reinterpret_cast<uint8_t*>(handle->h);
      memcpy(bytes, sound.data(), sound.size());
      bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      use(queue, random);
      noticed += ipckit_queue_verify(queue) != 0;
    }
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  printf("%zu bits flipped, %zu noticed at the end, %.1f s\n", flips, noticed, took.count());
  memcpy(handle->h, sound.data(), sound.size());
}

TEST(Corruption, RandomWordsUnderAQuietQueueAreAnErrorOrNothing) {
  std::random_device device;
  const unsigned seed = device();
  printf("seed %u\n", seed);
  std::mt19937 random(seed);
  Queue queue(small_queue());
  ipckit_queue_t* handle = queue;
  fill(queue);
  uint8_t* bytes = reinterpret_cast<uint8_t*>(handle->h);
  std::vector<uint8_t> sound(bytes, bytes + handle->map.bytes);
  const size_t place = handle->g.people_at + handle->people.slot * sizeof(ipckit_layout_participant_t);
  for (int round = 0; round < 3000; round++) {
    memcpy(bytes, sound.data(), sound.size());
    for (unsigned i = 0; i < 1 + random() % 40; i++) {
      size_t at = 512 + random() % ((handle->map.bytes - 512) / 4 - 1) * 4 % (handle->map.bytes - 520);
      at &= ~size_t{3};
      // The three locks stay free: an owner that lives is waited for, and that is another test.
      if (at == 640 || at == 768 || at == 1152 || at == place) continue;
      uint32_t values[] = {static_cast<uint32_t>(random()), 0, 0xffffffff,
                           static_cast<uint32_t>(random() % 16)};
      memcpy(bytes + at, &values[random() % 4], 4);
    }
    handle->h->state = IPCKIT_STATE_OPEN;
    use(queue, random);
  }
  memcpy(bytes, sound.data(), sound.size());
}

TEST(Corruption, AHostileWriterCannotCrashOrHangAnybody) {
  std::random_device device;
  const unsigned seed = device();
  printf("seed %u\n", seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 4; round++) {
    Queue queue(small_queue());
    ipckit_queue_t* handle = queue;
    Child hostile([&] {
      int fd = open(queue.path().c_str(), O_RDWR | O_CLOEXEC);
      auto* words = static_cast<volatile uint32_t*>(
          mmap(nullptr, handle->map.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
      std::mt19937 mine(seed + static_cast<unsigned>(round));
      const size_t count = handle->map.bytes / 4;
      while (true) {
        // Everywhere, or where it hurts most: the header and the cells.
        size_t at = mine() % 2 ? mine() % count : 128 + mine() % 1000;
        words[at % count] = mine() % 3 == 0 ? mine() : mine() % 3 == 0 ? 0xffffffff : mine() % 32;
        if (mine() % 8 == 0) words[128] = IPCKIT_STATE_OPEN;
        if (mine() % 64 == 0) words[handle->g.people_at / 4] = handle->people.epoch << 2 | IPCKIT_SLOT_USED;
        if (mine() % 16 == 0)
          for (size_t lock : {160, 192, 288}) words[lock] = 0;
      }
      return 0;
    });
    auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
    std::chrono::duration<double> slowest{0};
    while (std::chrono::steady_clock::now() < end) {
      auto started = std::chrono::steady_clock::now();
      char buffer[kLargest];
      ipckit_message_t message;
      ipckit_queue_try_put(queue, buffer, random() % kLargest, random() % 10);
      auto between = std::chrono::steady_clock::now();
      ipckit_queue_lease(queue, buffer, kLargest, &message, 0, 0);
      slowest = std::max({slowest, std::chrono::duration<double>(between - started),
                          std::chrono::duration<double>(std::chrono::steady_clock::now() - between)});
      ipckit_queue_ack(queue, &message.token);
    }
    printf("slowest call %.3f s\n", slowest.count());
    hostile.signal(SIGKILL);
  }
}

TEST(Corruption, OnceFoundEverybodyIsTold) {
  Queue queue(small_queue());
  Guest guest(queue.name());
  ipckit_queue_t* handle = queue;
  put(queue, "x");
  handle->rings[0] = 12345;
  EXPECT_EQ(get(queue, 0), "<the bytes are damaged>");
  EXPECT_EQ(get(guest, 0), "<the bytes are damaged>");
  EXPECT_EQ(put(guest, "x"), IPCKIT_E_CORRUPT);
  ipckit_queue_t* opened = nullptr;
  EXPECT_EQ(ipckit_queue_open(queue.name().c_str(), nullptr, nullptr, &opened), IPCKIT_E_CORRUPT);
}

TEST(Corruption, AWaiterLearnsOfIt) {
  Queue queue(small_queue());
  Signpost ready;
  Child waiter([&] { return wait_until_refused(queue.name(), ready, IPCKIT_E_CORRUPT); });
  ready.await();
  usleep(20000);
  ipckit_queue_t* handle = queue;
  handle->h->free_tail = 1000000;
  handle->h->free_seen = 1000000;
  EXPECT_EQ(put(queue, "x"), IPCKIT_E_CORRUPT);
  EXPECT_EQ(waiter.join(), 0);
}

TEST(Truncation, IsAnErrorAndNoSignal) {
  for (off_t size : {0, 4096}) {
    Queue queue(small_queue());
    Guest guest(queue.name());
    put(queue, std::string(500, 'x'));
    ASSERT_EQ(truncate(queue.path().c_str(), size), 0);
    EXPECT_EQ(get(guest, 0), "<the bytes are damaged>");
    EXPECT_EQ(put(queue, "x"), IPCKIT_E_CORRUPT);
    EXPECT_EQ(put(guest, "x"), IPCKIT_E_CORRUPT);
  }
}

TEST(Truncation, UnderAWaiterToo) {
  Queue queue(small_queue());
  Signpost ready;
  Child waiter([&] { return wait_until_refused(queue.name(), ready, IPCKIT_E_CORRUPT); });
  ready.await();
  usleep(20000);
  ASSERT_EQ(truncate(queue.path().c_str(), 0), 0);
  EXPECT_EQ(waiter.join(), 0);
}

TEST(Truncation, APunchedHoleIsFound) {
  Queue queue(small_queue());
  for (int i = 0; i < 5; i++) put(queue, "x");
  int fd = open(queue.path().c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 20), 0);
  close(fd);
  EXPECT_EQ(get(queue, 0), "<the bytes are damaged>");
}

TEST(Truncation, SignalsOfOthersReachTheHandlerThatWasThereBefore) {
  Child child([] {
    struct sigaction before = {};
    before.sa_handler = [](int) { leave(42); };
    sigaction(SIGBUS, &before, nullptr);
    Queue queue;
    char path[] = "/dev/shm/ipckit-test-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    if (ftruncate(fd, 4096) != 0) return 1;
    auto* mine = static_cast<volatile char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    ipckit_queue_unlink(queue.name().c_str(), nullptr);
    if (ftruncate(fd, 0) != 0) return 2;
    mine[0] = 1;
    return 3;
  });
  EXPECT_EQ(child.join(), 42);
}

TEST(Truncation, TheGuardCanBeSwitchedOff) {
  Child child([] {
    // Other tests of this process may have installed it.
    signal(SIGBUS, SIG_DFL);
    ipckit_guard(0);
    Queue queue;
    struct sigaction now = {};
    sigaction(SIGBUS, nullptr, &now);
    return now.sa_handler == SIG_DFL ? 0 : 1;
  });
  EXPECT_EQ(child.join(), 0);
}

TEST(Corruption, ALockWordWithALivingOwnerIsNotWaitedForLong) {
  Queue queue(small_queue());
  Guest guest(queue.name());
  put(queue, std::string(500, 'x'));
  ipckit_queue_t* mine = queue;
  ipckit_queue_t* other = guest;
  for (uint32_t* lock : {&mine->h->producer_lock, &mine->h->consumer_lock, &mine->h->recovery_lock}) {
    for (uint32_t owner : {other->people.tag, mine->people.tag}) {
      *lock = owner;
      auto started = std::chrono::steady_clock::now();
      put(queue, std::string(500, 'x'), 0, 0);
      std::chrono::duration<double> of_put = std::chrono::steady_clock::now() - started;
      get(queue, 0);
      ipckit_queue_sweep(queue);
      std::chrono::duration<double> of_all = std::chrono::steady_clock::now() - started;
      EXPECT_LT(of_put.count(), 2) << "the promise of the queue, and no measure of speed";
      EXPECT_LT(of_all.count(), 6);
      *lock = 0;
    }
  }
  EXPECT_EQ(ipckit_queue_verify(queue), 0);
}
