// Every call of the queue at once, by many threads of one process, on one small queue: with one handle for
// all of them, and with a handle each. A ledger in private memory says what became of each message. Meant for
// the thread sanitizer, and worth something without it.
#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "support.h"

namespace {

constexpr uint32_t kProducers = 3, kConsumers = 4, kEach = 8000, kAll = kProducers * kEach;
constexpr size_t kLargest = 600, kSlab = 4 * kLargest;

struct Plan {
  bool separate;     // a handle for each thread
  bool large;        // messages that are copied outside of the locks
  int64_t lease_ns;  // 0: leases have no end
};

// What became of each message.
struct Ledger {
  std::vector<std::atomic<uint8_t>> put = std::vector<std::atomic<uint8_t>>(kAll),
                                    ended = std::vector<std::atomic<uint8_t>>(kAll);
  std::vector<std::atomic<uint64_t>> deliveries =
      std::vector<std::atomic<uint64_t>>(kAll);  // a bit for each number
  std::atomic<uint64_t> stale = 0, redelivered = 0, cleared = 0;
};

size_t size_of(const Plan& plan, uint64_t id) {
  const size_t sizes[] = {8, 60, 150, plan.large ? size_t{500} : size_t{250}};
  return sizes[id % 4];
}

std::vector<char> body(const Plan& plan, uint64_t id) {
  std::vector<char> bytes(size_of(plan, id));
  for (size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<char>(id * 13 + i * 7);
  memcpy(bytes.data(), &id, sizeof id);
  return bytes;
}

uint64_t read(const Plan& plan, const char* bytes, size_t length) {
  uint64_t id = kAll;
  if (length >= sizeof id) memcpy(&id, bytes, sizeof id);
  const bool whole = id < kAll && body(plan, id) == std::vector<char>(bytes, bytes + length);
  EXPECT_TRUE(whole) << "a torn message";
  return whole ? id : 0;
}

class Harness {
 public:
  explicit Harness(const Plan& plan) : plan_(plan), queue_(options()) {}

  void run() {
    std::vector<std::thread> producers, others;
    for (uint32_t p = 0; p < kProducers; p++) producers.emplace_back([this, p] { produce(p); });
    for (uint32_t c = 0; c < kConsumers; c++) others.emplace_back([this, c] { consume(c); });
    others.emplace_back([this] { look_on(); });
    others.emplace_back([this] { bury(); });
    for (auto& thread : producers) thread.join();
    EXPECT_EQ(ipckit_queue_shutdown(queue_, 0), 0);
    over_ = true;
    for (auto& thread : others) thread.join();
    settle();
  }

 private:
  ipckit_queue_options_t options() const {
    ipckit_queue_options_t o = {};
    o.capacity = 8;
    o.dead_capacity = 4;
    o.max_message_bytes = kLargest;
    o.capacity_bytes = 4096;
    o.block_bytes = 64;
    o.copy_outside_bytes = 300;
    o.max_deliveries = 40;
    return o;
  }

  /// A handle of its own, or that of all.
  struct Handle {
    std::unique_ptr<Guest> own;
    ipckit_queue_t* queue;
  };
  Handle handle() {
    if (!plan_.separate) return {nullptr, queue_};
    auto own = std::make_unique<Guest>(queue_.name());
    ipckit_queue_t* queue = *own;
    return {std::move(own), queue};
  }

  void produce(uint32_t number) {
    Handle mine = handle();
    for (uint64_t i = 0; i < kEach;) {
      std::vector<std::vector<char>> bodies;
      std::vector<ipckit_slice_t> slices;
      const uint64_t first = number * kEach + i, count = std::min<uint64_t>(i % 3 + 1, kEach - i);
      for (uint64_t k = 0; k < count; k++) {
        bodies.push_back(body(plan_, first + k));
        slices.push_back(
            {bodies.back().data(), bodies.back().size(), static_cast<uint32_t>((first + k) % 3)});
      }
      // Before: a consumer may have it before we know that it was put.
      for (uint64_t k = 0; k < count; k++) ledger_.put[first + k] = 1;
      int64_t done = count == 1 ? ipckit_queue_put(mine.queue, slices[0].data, slices[0].length,
                                                   slices[0].priority, kPatience)
                                : ipckit_queue_put_many(mine.queue, slices.data(), count, kPatience);
      if (count == 1 && done == 0) done = 1;
      ASSERT_GT(done, 0);
      for (uint64_t k = static_cast<uint64_t>(done); k < count; k++) ledger_.put[first + k] = 0;
      i += static_cast<uint64_t>(done);
    }
  }

  void ended(uint64_t id) {
    EXPECT_EQ(ledger_.ended[id].fetch_add(1), 0) << "delivered again after its end: " << id;
  }

  uint64_t delivered(const ipckit_message_t& message, const char* bytes) {
    const uint64_t id = read(plan_, bytes, message.length);
    EXPECT_EQ(ledger_.put[id], 1);
    EXPECT_EQ(ledger_.ended[id], 0);
    EXPECT_EQ(message.redelivered, message.delivery_count > 1);
    ledger_.redelivered += message.redelivered;
    return id;
  }

  /// A delivery that was held has a number of its own.
  uint64_t leased(const ipckit_message_t& message, const char* bytes) {
    const uint64_t id = read(plan_, bytes, message.length);
    EXPECT_EQ(ledger_.put[id], 1);
    const uint64_t bit = 1ULL << (message.delivery_count & 63);
    EXPECT_EQ(ledger_.deliveries[id].fetch_or(bit) & bit, 0U) << "two deliveries with one number";
    ledger_.redelivered += message.redelivered;
    return id;
  }

  /// Ends a delivery in one of the ways, or leaves it to its end in time.
  void end(ipckit_queue_t* queue, const ipckit_token_t& token, uint64_t id, unsigned how) {
    int result = 0;
    switch (how % 8) {
      case 0:
        result = ipckit_queue_nack(queue, &token, 0);
        break;
      case 1:
        result = ipckit_queue_nack(queue, &token, kMillisecond / 10);
        break;
      case 2:
        result = ipckit_queue_reject(queue, &token);
        break;
      case 3:
        if (plan_.lease_ns > 0) return;
        [[fallthrough]];
      case 4:
        result = ipckit_queue_extend(queue, &token, plan_.lease_ns);
        if (result != 0) break;
        [[fallthrough]];
      default:
        result = ipckit_queue_ack(queue, &token);
        if (result == 0) ended(id);
        break;
    }
    if (result == IPCKIT_E_STALE && plan_.lease_ns > 0) {
      ledger_.stale++;
      return;
    }
    ASSERT_EQ(result, 0) << ipckit_strerror(result);
    if (how % 8 > 2) {
      EXPECT_EQ(ipckit_queue_ack(queue, &token), IPCKIT_E_STALE) << "acknowledged twice";
    }
  }

  void consume(uint32_t number) {
    Handle mine = handle();
    std::mt19937 random(number);
    std::vector<char> slab(kSlab);
    ipckit_message_t messages[4];
    while (true) {
      const unsigned how = random() % 5;
      int64_t result = 0;
      if (how == 0) {
        result = ipckit_queue_get(mine.queue, slab.data(), slab.size(), messages, kPatience);
        if (result >= 0) ended(delivered(messages[0], slab.data()));
      } else if (how == 1) {
        result = ipckit_queue_get_many(mine.queue, slab.data(), slab.size(), messages, 4, kPatience);
        for (int64_t i = 0; i < result; i++) ended(delivered(messages[i], slab.data() + messages[i].offset));
      } else if (how < 4) {
        result =
            ipckit_queue_lease(mine.queue, slab.data(), slab.size(), messages, plan_.lease_ns, kPatience);
        if (result >= 0) end(mine.queue, messages[0].token, leased(messages[0], slab.data()), random());
      } else {
        result = ipckit_queue_lease_many(mine.queue, slab.data(), slab.size(), messages, 3, plan_.lease_ns,
                                         kPatience);
        for (int64_t i = 0; i < result; i++) {
          end(mine.queue, messages[i].token, leased(messages[i], slab.data() + messages[i].offset), random());
        }
      }
      if (result == IPCKIT_E_SHUTDOWN) return;
      ASSERT_GE(result, 0) << ipckit_strerror(static_cast<int>(result));
    }
  }

  void look_on() {
    Handle mine = handle();
    char buffer[kLargest];
    for (unsigned turn = 0; !over_; turn++) {
      ipckit_message_t message;
      const int64_t peeked = ipckit_queue_peek(mine.queue, buffer, sizeof buffer, &message);
      if (peeked >= 0) read(plan_, buffer, static_cast<size_t>(peeked));
      ipckit_queue_stat_t stat = stat_of(mine.queue);
      EXPECT_LE(stat.depth + stat.in_flight, stat.capacity);
      EXPECT_GE(ipckit_queue_sweep(mine.queue), 0);
      ipckit_participant_t people[8];
      EXPECT_GE(ipckit_queue_participants(mine.queue, people, 8), 1);
      ipckit_wait_word_t words[IPCKIT_WAIT_WORDS];
      int64_t bound = 0;
      EXPECT_GE(ipckit_queue_arm(mine.queue, 7, 100, words, &bound), 0);
      EXPECT_EQ(ipckit_queue_disarm(mine.queue, 7), 0);
      const int joined = ipckit_queue_join(mine.queue, 0);
      EXPECT_TRUE(joined == 0 || joined == -EAGAIN) << joined;
      EXPECT_EQ(ipckit_queue_verify(mine.queue), 0);
      EXPECT_EQ(ipckit_queue_is_unlinked(mine.queue), 0);
      if (turn % 16 == 15) {
        const int64_t removed = ipckit_queue_clear(mine.queue);
        ASSERT_GE(removed, 0);
        ledger_.cleared += static_cast<uint64_t>(removed);
      }
      // With a handle of its own only: a second mapping of the same bytes is other memory to the thread
      // sanitizer, and what is ordered by a lock there looks unordered here.
      if (plan_.separate && turn % 4 == 3) Guest passing(queue_.name());
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
  }

  /// Takes the dead letters.
  void bury() {
    Handle mine = handle();
    while (!over_) {
      if (!take_dead(mine.queue)) std::this_thread::yield();
    }
  }
  bool take_dead(ipckit_queue_t* queue) {
    char buffer[kLargest];
    ipckit_message_t message;
    const int64_t length = ipckit_queue_get_dead(queue, buffer, sizeof buffer, &message);
    if (length == -EAGAIN) return false;
    EXPECT_GE(length, 0);
    EXPECT_TRUE(message.reason == IPCKIT_DEAD_REJECTED || message.reason == IPCKIT_DEAD_DELIVERIES);
    ended(delivered(message, buffer));
    return true;
  }

  /// What somebody gave back after the others went, and the balance.
  void settle() {
    std::vector<char> slab(kSlab);
    ipckit_message_t message;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::nanoseconds(kPatience);
    while (stat_of(queue_).depth + stat_of(queue_).in_flight > 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), patience) << "something is held by nobody";
      if (ipckit_queue_try_get(queue_, slab.data(), slab.size(), &message) >= 0)
        ended(delivered(message, slab.data()));
    }
    while (take_dead(queue_)) {
    }
    uint64_t missing = 0;
    for (uint32_t id = 0; id < kAll; id++) {
      EXPECT_EQ(ledger_.put[id], 1);
      missing += ledger_.ended[id] == 0;
    }
    const ipckit_queue_stat_t stat = stat_of(queue_);
    EXPECT_EQ(stat.total_put, kAll);
    EXPECT_EQ(missing, stat.total_dropped)
        << "neither delivered, nor cleared, nor a dead letter that had to go";
    EXPECT_LE(ledger_.cleared, stat.total_dropped);
    EXPECT_EQ(stat.recoveries, 0U) << "nobody died";
    EXPECT_EQ(ipckit_queue_verify(queue_), 0);
    EXPECT_GT(ledger_.redelivered, 0U);
    printf("%u messages, %llu redelivered, %llu stale, %llu cleared, %llu dropped\n", kAll,
           static_cast<unsigned long long>(ledger_.redelivered),
           static_cast<unsigned long long>(ledger_.stale), static_cast<unsigned long long>(ledger_.cleared),
           static_cast<unsigned long long>(stat.total_dropped));
  }

  const Plan plan_;
  Queue queue_;
  Ledger ledger_;
  std::atomic<bool> over_ = false;
};

}  // namespace

TEST(EverythingAtOnce, WithOneHandleForAllThreads) { Harness({false, true, 0}).run(); }
TEST(EverythingAtOnce, WithAHandleForEachThread) { Harness({true, true, 0}).run(); }
// Without large ones: a payload that is copied after its lease ran out is read while it may be written, and
// thrown away for it.
TEST(EverythingAtOnce, WithOneHandleAndLeasesThatRunOut) { Harness({false, false, kMillisecond / 5}).run(); }
TEST(EverythingAtOnce, WithAHandleForEachAndLeasesThatRunOut) {
  Harness({true, false, kMillisecond / 5}).run();
}
