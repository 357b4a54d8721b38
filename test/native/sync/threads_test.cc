// Threads with handles of their own, and threads that share one, at every kind of object at once: for the
// thread sanitizer, which sees neither other processes nor the instruction at which one dies.
#include <random>

#include "support.h"

namespace {

constexpr int kThreads = 6;
constexpr int kTurns = 400;

/// Plain numbers, which only the object guards: a race on them is one of the object.
struct Guarded {
  int64_t a = 0, b = 0;
};

/// Runs `turn` in threads that each have a handle of their own (`own`), or share that of the object.
void in_threads(const Sync& sync, bool own,
                const std::function<void(ipckit_sync_t*, uint64_t agent, std::mt19937&)>& turn) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; i++) {
    threads.emplace_back([&, i] {
      std::unique_ptr<Guest> guest = own ? std::make_unique<Guest>(sync.name()) : nullptr;
      ipckit_sync_t* handle = own ? static_cast<ipckit_sync_t*>(*guest) : static_cast<ipckit_sync_t*>(sync);
      std::mt19937 random(static_cast<unsigned>(i));
      for (int n = 0; n < kTurns; n++) turn(handle, static_cast<uint64_t>(i + 1), random);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ipckit_sync_verify(sync), 0);
  EXPECT_EQ(stat_of(sync).waiters, 0U);
}

class Threads : public testing::TestWithParam<bool> {};

}  // namespace

TEST_P(Threads, LocksGuardWhatTheyGuard) {
  for (uint32_t kind : {IPCKIT_KIND_LOCK, IPCKIT_KIND_RLOCK}) {
    Sync lock(kind);
    Guarded guarded;
    in_threads(lock, GetParam(), [&](ipckit_sync_t* handle, uint64_t agent, std::mt19937& random) {
      if (acquire(handle, random() % 4 ? kPatience : 50000, 1, agent) != 0) return;
      ASSERT_EQ(guarded.a, guarded.b);
      guarded.a++;
      if (random() % 8 == 0) std::this_thread::yield();
      guarded.b++;
      ASSERT_EQ(release(handle, 1, agent), 0);
    });
    EXPECT_EQ(guarded.a, guarded.b);
  }
}

TEST_P(Threads, ReadersSeeWhatWritersWrote) {
  Sync lock(IPCKIT_KIND_RWLOCK);
  Guarded guarded;
  in_threads(lock, GetParam(), [&](ipckit_sync_t* handle, uint64_t, std::mt19937& random) {
    if (random() % 3 == 0) {
      if (acquire(handle, random() % 4 ? kPatience : 50000) != 0) return;
      guarded.a++;
      guarded.b++;
      ASSERT_EQ(release(handle), 0);
    } else {
      if (acquire_shared(handle, random() % 4 ? kPatience : 50000) != 0) return;
      ASSERT_EQ(guarded.a, guarded.b);
      ASSERT_EQ(ipckit_sync_release_shared(handle), 0);
    }
  });
}

TEST_P(Threads, SemaphoresNeverLetMoreThrough) {
  for (uint32_t kind : {IPCKIT_KIND_SEMAPHORE, IPCKIT_KIND_BOUNDED_SEMAPHORE}) {
    Sync semaphore(kind, 3);
    std::atomic<int> inside{0};
    in_threads(semaphore, GetParam(), [&](ipckit_sync_t* handle, uint64_t, std::mt19937& random) {
      const uint32_t count = 1 + random() % 3;
      if (acquire(handle, random() % 4 ? kPatience : 50000, count) != 0) return;
      ASSERT_LE(inside += static_cast<int>(count), 3);
      inside -= static_cast<int>(count);
      ASSERT_EQ(release(handle, count), 0);
    });
    EXPECT_EQ(stat_of(semaphore).value, 3U);
  }
}

TEST_P(Threads, ConditionsHandNumbersOn) {
  Sync condition(IPCKIT_KIND_CONDITION);
  int64_t tokens = 0, made = 0;
  in_threads(condition, GetParam(), [&](ipckit_sync_t* handle, uint64_t agent, std::mt19937& random) {
    ASSERT_EQ(acquire(handle, kPatience, 1, agent), 0);
    if (random() % 2) {
      tokens++;
      made++;
      ipckit_condition_notify(handle, 1 + random() % 2);
    } else if (tokens == 0) {
      ipckit_condition_wait(handle, agent, 200000, nullptr);
    } else {
      tokens--;
      made--;
    }
    ASSERT_EQ(release(handle, 1, agent), 0);
  });
  EXPECT_EQ(tokens, made);
}

TEST_P(Threads, EventsPublishWhatWasWrittenBefore) {
  Sync event(IPCKIT_KIND_EVENT);
  int64_t written = 0;
  std::atomic<int> next{0};
  in_threads(event, GetParam(), [&](ipckit_sync_t* handle, uint64_t, std::mt19937&) {
    if (next++ == 100) {
      written = 42;
      ASSERT_EQ(ipckit_event_set(handle), 0);
    }
    if (wait_for(handle, IPCKIT_WAIT_EVENT, 20000) == 0) {
      ASSERT_EQ(written, 42);
    }
  });
}

TEST_P(Threads, BarriersKeepRoundsApart) {
  Sync barrier(IPCKIT_KIND_BARRIER, kThreads);
  int64_t rounds[kThreads + 1] = {};
  in_threads(barrier, GetParam(), [&](ipckit_sync_t* handle, uint64_t agent, std::mt19937&) {
    rounds[agent]++;
    for (int half = 0; half < 2; half++) {
      ipckit_wait_t wait = a_wait(IPCKIT_WAIT_BARRIER);
      const int result = ipckit_sync_wait(handle, &wait, kPatience);
      if (result == IPCKIT_BARRIER_ACTION) {
        ASSERT_EQ(ipckit_barrier_action_done(handle, &wait), 0);
      } else {
        ASSERT_EQ(result, 0);
      }
      // Between the two halves nobody writes.
      if (half == 0) {
        ASSERT_EQ(rounds[1 + agent % kThreads], rounds[agent]);
      }
    }
  });
}

#ifdef __SANITIZE_THREAD__
// Two mappings of a file are different memory to it, so it sees only what threads do with one handle.
#define IPCKIT_WAYS testing::Values(false)
#else
#define IPCKIT_WAYS testing::Bool()
#endif
INSTANTIATE_TEST_SUITE_P(Handles, Threads, IPCKIT_WAYS,
                         [](const auto& info) { return info.param ? "OfTheirOwn" : "Shared"; });
