// Threads that wait at words of shared memory, each at as many as the kernel allows: futex_waitv(2), or
// futex(2) and a thread for each word before Linux 5.16. They never take anything out of what they wait for,
// so nothing is ever in their hands.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "sys/event_sink.h"
#include "sys/outcome.h"

namespace ipckit::sys {

/// Where to sleep, and while what stands there.
struct futex_word {
  const uint32_t* address;
  uint32_t expected;
};

/// Something that can be waited for, as its owner tells it. Called on a waiting thread, one call at a time.
class futex_source {
 public:
  virtual ~futex_source() = default;
  /// Announces the wait and then looks once more: false when trying is worth it, also because of a failure.
  /// Otherwise where to sleep, and how long at most.
  virtual bool arm(futex_word* word, int64_t* bound_ns) = 0;
  /// The bound has passed and nobody woke us.
  virtual void sweep() = 0;
  /// The wait ended without a try: a wake that was meant for it goes to another waiter.
  virtual void disarm() = 0;
};

class futex_waits {
 public:
  explicit futex_waits(event_sink& sink);
  ~futex_waits() { stop(); }
  futex_waits(const futex_waits&) = delete;
  futex_waits& operator=(const futex_waits&) = delete;

  /// Asks for one event of `token`, with result 0, when trying is worth it.
  outcome<nothing> wait(int token, std::unique_ptr<futex_source> source);
  /// Takes the question back. The source may be in use for a moment longer: see settle(). An event that is
  /// already in the sink stays there.
  void forget(int token);
  /// Blocks until no source that was forgotten is in use.
  void settle();
  void stop();

  /// Whether this kernel has futex_waitv(2), and the sandbox lets it pass.
  static bool kernel_has_vectors();

  /// For tests: waits as a kernel without futex_waitv(2) must.
  void forgo_vectors() { most_entries_ = 1; }

 private:
  struct entry {
    int token;
    std::unique_ptr<futex_source> source;
  };

  struct worker {
    pthread_t thread{};
    /// Changes when the thread is to look at its entries again; slept at together with their words.
    std::atomic<uint32_t> control{0};
    std::vector<entry> entries;
    /// Forgotten, and perhaps still slept at.
    std::vector<entry> leaving;
    /// Where a thread sleeps that can sleep at one word only.
    std::atomic<const uint32_t*> asleep_at{nullptr};
    bool quit = false;
  };

  outcome<worker*> worker_with_room();
  /// Runs off the main thread, as do those below.
  void run(worker& self);
  bool arm_all(worker& self, std::vector<futex_word>& words, int64_t* bound_ns);
  int sleep(worker& self, uint32_t control, const std::vector<futex_word>& words, int64_t bound_ns) const;
  /// Any thread.
  static void rouse(worker& each);

  event_sink& sink_;
  size_t most_entries_;
  /// Guards the workers and all that belongs to them but atomics; sources are called while it is held.
  std::mutex mutex_;
  std::condition_variable settled_;
  std::list<worker> workers_;
};

}  // namespace ipckit::sys
