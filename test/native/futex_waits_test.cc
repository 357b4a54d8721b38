#include "sys/futex_waits.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>

#include "events.h"

namespace ipckit::test {
namespace {

using sys::event;
using sys::futex_source;
using sys::futex_waits;
using sys::futex_word;

/// A counter in shared memory that is waited for until it is not zero.
class counter {
 public:
  counter()
      : word_(static_cast<std::atomic<uint32_t>*>(
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~counter() { ::munmap(word_, 4096); }
  counter(const counter&) = delete;
  counter& operator=(const counter&) = delete;

  void raise() {
    word_->store(1);
    ::syscall(SYS_futex, word_, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  }
  void raise_and_wake_nobody() { word_->store(1); }
  void lower() { word_->store(0); }
  bool is_raised() const { return word_->load() != 0; }
  const uint32_t* address() const { return reinterpret_cast<const uint32_t*>(word_); }

  std::atomic<int> armed{0};
  std::atomic<int> swept{0};
  std::atomic<int> disarmed{0};
  std::atomic<int> destroyed{0};

 private:
  std::atomic<uint32_t>* word_;
};

class counter_source : public futex_source {
 public:
  counter_source(counter& one, int64_t bound_ns) : one_(one), bound_ns_(bound_ns) {}
  ~counter_source() override { one_.destroyed++; }
  bool arm(futex_word* word, int64_t* bound_ns) override {
    one_.armed++;
    if (one_.is_raised()) return false;
    *word = {one_.address(), 0};
    *bound_ns = bound_ns_;
    return true;
  }
  void sweep() override { one_.swept++; }
  void disarm() override { one_.disarmed++; }

 private:
  counter& one_;
  int64_t bound_ns_;
};

constexpr int64_t second = 1'000'000'000;

/// Every test runs with what the kernel offers, and as on an old one.
class futex_waits_test : public testing::TestWithParam<bool> {
 protected:
  futex_waits_test() {
    if (GetParam()) waits.forgo_vectors();
  }
  void wait(int token, counter& one, int64_t bound_ns = second) {
    ASSERT_TRUE(waits.wait(token, std::make_unique<counter_source>(one, bound_ns)).ok());
  }
  /// Until its thread sleeps, or is about to.
  static void until_armed(const counter& one, int times = 1) {
    while (one.armed < times) std::this_thread::sleep_for(1ms);
  }

  counter& fresh() { return counters_.emplace_back(); }
  std::deque<counter>& fresh_ones(size_t count) {
    while (counters_.size() < count) fresh();
    return counters_;
  }

 private:
  // Outlive the waits for them.
  std::deque<counter> counters_;

 protected:
  collected_events events;
  futex_waits waits{events.sink};
};

INSTANTIATE_TEST_SUITE_P(kernels, futex_waits_test, testing::Values(false, true), [](const auto& info) {
  return info.param ? std::string("without_vectors") : std::string("with_vectors");
});

TEST_P(futex_waits_test, tells_when_a_word_changes) {
  counter& one = fresh();
  wait(7, one);
  EXPECT_FALSE(events.any_within(20ms));
  one.raise();
  const event seen = events.next();
  EXPECT_EQ(seen.token, 7);
  EXPECT_EQ(seen.result, 0);
}

TEST_P(futex_waits_test, tells_at_once_when_the_word_has_changed_already) {
  counter& one = fresh();
  one.raise();
  wait(1, one);
  EXPECT_EQ(events.next().token, 1);
}

TEST_P(futex_waits_test, tells_once_and_lets_go_of_the_source) {
  counter& one = fresh();
  one.raise();
  wait(1, one);
  events.next();
  EXPECT_EQ(one.destroyed, 1);
  one.raise();
  EXPECT_FALSE(events.any_within(20ms));
}

TEST_P(futex_waits_test, tells_each_word_by_its_token) {
  std::deque<counter>& some = fresh_ones(5);
  for (int at = 0; at < 5; at++) wait(at, some[at]);
  for (const counter& each : some) until_armed(each);
  for (const int at : {3, 0, 4, 1, 2}) {
    some[at].raise();
    EXPECT_EQ(events.next().token, at);
  }
}

TEST_P(futex_waits_test, tells_all_of_many_that_change_together) {
  constexpr int many = 300;
  counter& one = fresh();
  for (int at = 0; at < many; at++) wait(at, one);
  one.raise();
  std::vector<bool> told(many);
  for (int at = 0; at < many; at++) told[events.next().token] = true;
  EXPECT_EQ(std::count(told.begin(), told.end(), true), many);
}

TEST_P(futex_waits_test, sweeps_and_looks_again_when_the_bound_has_passed) {
  counter& one = fresh();
  wait(1, one, second / 100);
  until_armed(one);
  one.raise_and_wake_nobody();
  EXPECT_EQ(events.next().token, 1);
  EXPECT_GE(one.swept, 1);
}

TEST_P(futex_waits_test, sleeps_between_the_bounds) {
  counter& one = fresh();
  wait(1, one, second / 50);
  std::this_thread::sleep_for(200ms);
  // 10 at the most, and a few for the start.
  EXPECT_LE(one.armed, 14);
}

TEST_P(futex_waits_test, says_nothing_of_what_was_forgotten) {
  counter& one = fresh();
  counter& other = fresh();
  wait(1, one);
  wait(2, other);
  until_armed(one);
  waits.forget(1);
  waits.settle();
  EXPECT_EQ(one.disarmed, 1);
  EXPECT_EQ(one.destroyed, 1);
  one.raise();
  EXPECT_FALSE(events.any_within(20ms));
  other.raise();
  EXPECT_EQ(events.next().token, 2);
}

TEST_P(futex_waits_test, forgets_what_it_never_knew) {
  waits.forget(5);
  waits.settle();
}

TEST_P(futex_waits_test, uses_no_source_after_it_has_settled) {
  for (int round = 0; round < 200; round++) {
    auto one = std::make_unique<counter>();
    wait(round, *one);
    if (round % 2 == 0) until_armed(*one);
    waits.forget(round);
    waits.settle();
    EXPECT_EQ(one->destroyed, 1);
    // The memory goes, and nobody may touch it.
    one.reset();
  }
}

TEST_P(futex_waits_test, stops_while_it_waits) {
  std::deque<counter>& some = fresh_ones(3);
  for (int at = 0; at < 3; at++) wait(at, some[at], 3600 * second);
  until_armed(some[0]);
  waits.stop();
  for (const counter& each : some) EXPECT_EQ(each.destroyed, 1);
  EXPECT_FALSE(events.any_within(20ms));
}

TEST_P(futex_waits_test, begins_anew_after_it_was_stopped) {
  counter& one = fresh();
  waits.stop();
  wait(1, one);
  waits.stop();
  one.raise();
  wait(2, one);
  EXPECT_EQ(events.next().token, 2);
}

TEST_P(futex_waits_test, goes_on_for_the_others_when_the_memory_of_one_is_gone) {
  class gone : public futex_source {
   public:
    bool arm(futex_word* word, int64_t* bound_ns) override {
      *word = {reinterpret_cast<const uint32_t*>(16), 0};
      *bound_ns = second / 100;
      return ++times < 3;
    }
    void sweep() override {}
    void disarm() override {}
    int times = 0;
  };
  counter& one = fresh();
  ASSERT_TRUE(waits.wait(1, std::make_unique<gone>()).ok());
  wait(2, one);
  EXPECT_EQ(events.next().token, 1);
  one.raise();
  EXPECT_EQ(events.next().token, 2);
}

}  // namespace
}  // namespace ipckit::test
