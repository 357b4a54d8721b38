#include "sys/bus_guard.h"

#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <new>

#include "sys/stay_loaded.h"

namespace ipckit::sys {

/// One place of the registry. Places are never freed, only used again, so that the handler may walk them at
/// any time.
struct guarded_range {
  /// Odd while begin and end change: place() stores it before and after the two, and contains() loads it
  /// before and after them.
  std::atomic<uint32_t> version{0};
  /// 0 when the place is free.
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  /// Stored by the handler before it lays the zeros, loaded by struck(): who has read one of them sees it.
  std::atomic<bool> struck{false};
};

namespace {

constexpr size_t ranges_in_block = 256;

struct block {
  guarded_range ranges[ranges_in_block];
  /// Stored once by free_range(), loaded by the handler: the block is complete by then.
  std::atomic<block*> next{nullptr};
};

// The handler takes no lock, allocates nothing and calls mmap(2) alone, which is a plain system call.
static_assert(std::atomic<uintptr_t>::is_always_lock_free);
static_assert(std::atomic<block*>::is_always_lock_free);

block first_block;
/// Guards who writes the registry; never taken by the handler.
std::mutex registry;
/// Whoever handled SIGBUS before; written before the handler is installed.
struct sigaction previous;

/// Tells whether the address lies in this range, and where the range is.
bool contains(const guarded_range& range, uintptr_t address, uintptr_t& begin, uintptr_t& end) {
  for (;;) {
    const uint32_t before = range.version.load();
    begin = range.begin.load();
    end = range.end.load();
    const uint32_t after = range.version.load();
    // A range that changes is not the one that was touched: that one stands until its guard has gone.
    if (before % 2 != 0 || begin == 0) return false;
    if (before == after) return begin <= address && address < end;
  }
}

/// On the thread that faulted, in the handler.
bool rescue(uintptr_t address) {
  for (block* at = &first_block; at != nullptr; at = at->next.load(std::memory_order_acquire)) {
    for (guarded_range& range : at->ranges) {
      uintptr_t begin = 0;
      uintptr_t end = 0;
      if (!contains(range, address, begin, end)) continue;
      range.struck.store(true, std::memory_order_release);
      // Read and write, also where the range was read-only: what is here is nobody else's any more.
      void* const zeros =
          ::mmap(reinterpret_cast<void*>(begin), end - begin, PROT_READ | PROT_WRITE,  // NOLINT
                 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      return zeros != MAP_FAILED;
    }
  }
  return false;
}

void on_bus_error(int number, siginfo_t* info, void* context) {
  const int error = errno;
  // BUS_ADRERR: behind the end of the file. Broken memory (BUS_MCEERR_*) and signals that someone sent are
  // not ours.
  if (info->si_code == BUS_ADRERR && rescue(reinterpret_cast<uintptr_t>(info->si_addr))) {
    errno = error;
    return;
  }
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
    // The access faults again when the handler returns, and ends the process in the way of the default. One
    // that was sent comes again by hand.
    struct sigaction fallback {};
    fallback.sa_handler = previous.sa_handler;
    sigemptyset(&fallback.sa_mask);
    ::sigaction(number, &fallback, nullptr);
    if (info->si_code <= 0 && previous.sa_handler == SIG_DFL) ::raise(number);
  } else {
    previous.sa_handler(number);
  }
  errno = error;
}

/// Once in the process: a second time might find a handler that goes on to ours, and would run in circles.
int install_handler() {
  static const int error = [] {
    stay_loaded(reinterpret_cast<void*>(&on_bus_error));
    struct sigaction ours {};
    if (::sigaction(SIGBUS, nullptr, &previous) != 0) return errno;
    ours.sa_sigaction = on_bus_error;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    return ::sigaction(SIGBUS, &ours, nullptr) == 0 ? 0 : errno;
  }();
  return error;
}

/// With `registry` locked. Null when there is no memory for more.
guarded_range* free_range() {
  block* at = &first_block;
  for (;;) {
    for (guarded_range& range : at->ranges) {
      if (range.begin.load(std::memory_order_relaxed) == 0) return &range;
    }
    block* next = at->next.load(std::memory_order_relaxed);
    if (next == nullptr) {
      next = new (std::nothrow) block;
      if (next == nullptr) return nullptr;
      at->next.store(next, std::memory_order_release);
    }
    at = next;
  }
}

/// With `registry` locked.
void place(guarded_range& range, uintptr_t begin, uintptr_t end) {
  // All in one order that contains() sees too. ThreadSanitizer knows no fences, and this is rare.
  const uint32_t version = range.version.load();
  range.version.store(version + 1);
  range.begin.store(begin);
  range.end.store(end);
  range.struck.store(false);
  range.version.store(version + 2);
}

}  // namespace

outcome<bus_guard> bus_guard::watch(void* begin, size_t length) {
  if (const int error = install_handler(); error != 0) return failure{error, "sigaction"};
  const std::lock_guard lock(registry);
  guarded_range* const range = free_range();
  if (range == nullptr) return failure{ENOMEM, "mmap"};
  const uintptr_t address = reinterpret_cast<uintptr_t>(begin);
  place(*range, address, address + length);
  return bus_guard(range);
}

bus_guard::~bus_guard() {
  if (range_ == nullptr) return;
  const std::lock_guard lock(registry);
  place(*range_, 0, 0);
}

bool bus_guard::struck() const { return range_ != nullptr && range_->struck.load(std::memory_order_acquire); }

}  // namespace ipckit::sys
