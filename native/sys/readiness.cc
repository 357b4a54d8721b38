#include "sys/readiness.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "sys/threads.h"

namespace ipckit::sys {

namespace {

constexpr uint64_t quit_token = UINT64_MAX;

int control(const fd& epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
  epoll_event wanted{};
  wanted.events = events | EPOLLONESHOT;
  wanted.data.u64 = token;
  return ::epoll_ctl(epoll.get(), operation, descriptor, &wanted);
}

}  // namespace

outcome<nothing> readiness::start() {
  if (running_) return nothing{};
  epoll_ = fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return last_failure("epoll_create1");
  quit_ = fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!quit_) return last_failure("eventfd");
  if (control(epoll_, EPOLL_CTL_ADD, quit_.get(), EPOLLIN, quit_token) != 0) return last_failure("epoll_ctl");
  const outcome<pthread_t> started = start_thread(
      [](void* self) -> void* {
        static_cast<readiness*>(self)->run();
        return nullptr;
      },
      this);
  if (!started.ok()) return started.why();
  thread_ = started.value();
  running_ = true;
  return nothing{};
}

void readiness::stop() {
  if (!running_) return;
  const uint64_t one = 1;
  while (::write(quit_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  pthread_join(thread_, nullptr);
  running_ = false;
}

outcome<nothing> readiness::arm(int token, int descriptor, uint32_t events) {
  if (const outcome<nothing> started = start(); !started.ok()) return started.why();
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = interests_.try_emplace(token, interest{descriptor, 0});
  entry->second.wanted |= events;
  const int operation = is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (control(epoll_, operation, descriptor, entry->second.wanted, static_cast<uint64_t>(token)) != 0) {
    const failure why = last_failure("epoll_ctl");
    if (is_new) interests_.erase(entry);
    return why;
  }
  return nothing{};
}

void readiness::forget(int token) {
  const std::lock_guard lock(mutex_);
  const auto entry = interests_.find(token);
  if (entry == interests_.end()) return;
  control(epoll_, EPOLL_CTL_DEL, entry->second.descriptor, 0, 0);
  interests_.erase(entry);
}

void readiness::deliver(int token, uint32_t events) {
  {
    const std::lock_guard lock(mutex_);
    const auto entry = interests_.find(token);
    if (entry == interests_.end()) return;
    interest& waiting = entry->second;
    // One-shot disarmed the descriptor whole; what has not come yet is asked for again.
    waiting.wanted &= ~events;
    // These come unasked, and whatever is asked for: a hung-up descriptor would be told of without end.
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) waiting.wanted = 0;
    if (waiting.wanted != 0) {
      control(epoll_, EPOLL_CTL_MOD, waiting.descriptor, waiting.wanted, static_cast<uint64_t>(token));
    }
  }
  sink_.put({token, static_cast<int>(events), 0});
}

void readiness::run() {
  epoll_event ready[64];
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), ready, 64, -1);
    if (count < 0 && errno != EINTR) return;
    for (int index = 0; index < count; index++) {
      if (ready[index].data.u64 == quit_token) return;
      deliver(static_cast<int>(ready[index].data.u64), ready[index].events);
    }
  }
}

}  // namespace ipckit::sys
