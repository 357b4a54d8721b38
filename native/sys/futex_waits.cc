#include "sys/futex_waits.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <ctime>
#include <utility>

#include "sys/threads.h"

namespace ipckit::sys {

namespace {

#ifdef SYS_futex_waitv
constexpr long waitv_number = SYS_futex_waitv;
#else
constexpr long waitv_number = 449;  // on every architecture
#endif

/// As in <linux/futex.h> since 5.16.
struct waitv_entry {
  uint64_t value;
  uint64_t address;
  uint32_t flags;
  uint32_t reserved;
};

constexpr uint32_t waitv_32_bits = 2;
constexpr uint32_t waitv_private = FUTEX_PRIVATE_FLAG;
/// FUTEX_WAITV_MAX less the word by which a thread is roused.
constexpr size_t most_words = 127;
/// Where a source fails in the kernel (EFAULT) but not when it is asked, the thread must not spin.
constexpr int64_t pause_ns = 10'000'000;
/// A sleep that is as good as endless.
constexpr int64_t longest_ns = 3'600'000'000'000;

int waitv(const waitv_entry* entries, size_t count, int64_t bound_ns) {
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += bound_ns / 1'000'000'000;
  until.tv_nsec += static_cast<long>(bound_ns % 1'000'000'000);
  if (until.tv_nsec >= 1'000'000'000) {
    until.tv_sec++;
    until.tv_nsec -= 1'000'000'000;
  }
  const long result = ::syscall(waitv_number, entries, count, 0, &until, CLOCK_MONOTONIC);
  return result < 0 ? -errno : 0;
}

int wait_at(const uint32_t* address, uint32_t expected, int flags, int64_t bound_ns) {
  const timespec left{static_cast<time_t>(bound_ns / 1'000'000'000),
                      static_cast<long>(bound_ns % 1'000'000'000)};
  const long result = ::syscall(SYS_futex, address, FUTEX_WAIT | flags, expected, &left, nullptr, 0);
  return result < 0 ? -errno : 0;
}

void wake_at(const void* address, int flags, int count) {
  ::syscall(SYS_futex, address, FUTEX_WAKE | flags, count, nullptr, nullptr, 0);
}

}  // namespace

bool futex_waits::kernel_has_vectors() {
  // Without entries it is an error of the caller, or no such call.
  return ::syscall(waitv_number, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC) < 0 && errno == EINVAL;
}

futex_waits::futex_waits(event_sink& sink)
    : sink_(sink), most_entries_(kernel_has_vectors() ? most_words : 1) {}

// Called with mutex_ held.
outcome<futex_waits::worker*> futex_waits::worker_with_room() {
  for (worker& each : workers_) {
    if (each.entries.size() + each.leaving.size() < most_entries_) return &each;
  }
  return start_worker<&futex_waits::run>(*this, workers_);
}

outcome<nothing> futex_waits::wait(int token, std::unique_ptr<futex_source> source) {
  const std::lock_guard lock(mutex_);
  const outcome<worker*> chosen = worker_with_room();
  if (!chosen.ok()) return chosen.why();
  chosen.value()->entries.push_back({token, std::move(source)});
  rouse(*chosen.value());
  return nothing{};
}

void futex_waits::forget(int token) {
  const std::lock_guard lock(mutex_);
  for (worker& each : workers_) {
    const auto found = std::find_if(each.entries.begin(), each.entries.end(),
                                    [&](const entry& one) { return one.token == token; });
    if (found == each.entries.end()) continue;
    each.leaving.push_back(std::move(*found));
    each.entries.erase(found);
    rouse(each);
    return;
  }
}

void futex_waits::settle() {
  std::unique_lock lock(mutex_);
  const auto is_settled = [this] {
    return std::all_of(workers_.begin(), workers_.end(),
                       [](const worker& each) { return each.leaving.empty(); });
  };
  // A rouse can come just before the sleep that it should end, where that is at one word.
  while (!settled_.wait_for(lock, std::chrono::milliseconds(1), is_settled)) {
    for (worker& each : workers_) {
      if (!each.leaving.empty()) rouse(each);
    }
  }
}

void futex_waits::stop() {
  {
    const std::lock_guard lock(mutex_);
    for (worker& each : workers_) {
      for (entry& one : each.entries) each.leaving.push_back(std::move(one));
      each.entries.clear();
      rouse(each);
    }
  }
  settle();
  {
    const std::lock_guard lock(mutex_);
    for (worker& each : workers_) {
      each.quit = true;
      rouse(each);
    }
  }
  for (worker& each : workers_) pthread_join(each.thread, nullptr);
  workers_.clear();
}

void futex_waits::rouse(worker& each) {
  // Pairs with the load in run(): whoever sees the new number has not slept at the old one, or is woken.
  each.control.fetch_add(1, std::memory_order_release);
  wake_at(&each.control, FUTEX_PRIVATE_FLAG, 1);
  // Others may sleep there too; they look again and find nothing.
  if (const uint32_t* address = each.asleep_at.load(std::memory_order_acquire)) wake_at(address, 0, INT_MAX);
}

void futex_waits::run(worker& self) {
  std::vector<futex_word> words;
  for (;;) {
    const uint32_t control = self.control.load(std::memory_order_acquire);
    int64_t bound_ns = longest_ns;
    if (!arm_all(self, words, &bound_ns)) return;
    const int result = sleep(self, control, words, bound_ns);
    if (result == -ETIMEDOUT) {
      const std::lock_guard lock(mutex_);
      for (const entry& each : self.entries) each.source->sweep();
    } else if (result != 0 && result != -EAGAIN && result != -EINTR) {
      wait_at(reinterpret_cast<const uint32_t*>(&self.control), control, FUTEX_PRIVATE_FLAG, pause_ns);
    }
  }
}

bool futex_waits::arm_all(worker& self, std::vector<futex_word>& words, int64_t* bound_ns) {
  std::vector<int> over;
  words.clear();
  {
    const std::lock_guard lock(mutex_);
    for (const entry& each : self.leaving) each.source->disarm();
    self.leaving.clear();
    settled_.notify_all();
    if (self.quit) return false;
    std::erase_if(self.entries, [&](const entry& each) {
      futex_word word{};
      int64_t bound = longest_ns;
      if (!each.source->arm(&word, &bound)) {
        over.push_back(each.token);
        return true;
      }
      words.push_back(word);
      *bound_ns = std::min(*bound_ns, bound);
      return false;
    });
  }
  for (const int token : over) sink_.put({token, 0, 0});
  return true;
}

int futex_waits::sleep(worker& self, uint32_t control, const std::vector<futex_word>& words,
                       int64_t bound_ns) const {
  const uint32_t* own = reinterpret_cast<const uint32_t*>(&self.control);
  // Nothing is waited for, and nobody needs to be looked after.
  if (words.empty()) return wait_at(own, control, FUTEX_PRIVATE_FLAG, longest_ns);
  if (most_entries_ == 1) {
    self.asleep_at.store(words[0].address, std::memory_order_release);
    // Roused in between: rouse() may have seen no address yet.
    int result = -EAGAIN;
    if (self.control.load(std::memory_order_acquire) == control) {
      result = wait_at(words[0].address, words[0].expected, 0, bound_ns);
    }
    self.asleep_at.store(nullptr, std::memory_order_release);
    return result;
  }
  waitv_entry entries[most_words + 1];
  entries[0] = {control, reinterpret_cast<uintptr_t>(own), waitv_32_bits | waitv_private, 0};
  for (size_t at = 0; at < words.size(); at++) {
    entries[at + 1] = {words[at].expected, reinterpret_cast<uintptr_t>(words[at].address), waitv_32_bits, 0};
  }
  return waitv(entries, words.size() + 1, bound_ns);
}

}  // namespace ipckit::sys
