#include "sys/interrupt.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace ipckit::sys {

namespace {

void do_nothing(int) {}

/// A real-time signal that nobody in this process handles, with a handler that does nothing and without
/// SA_RESTART, so that it interrupts and that is all. 0 when every one is taken.
int alarm_signal() {
  static const int chosen = [] {
    for (int candidate = SIGRTMIN + 1; candidate <= SIGRTMAX; candidate++) {
      struct sigaction current {};
      if (::sigaction(candidate, nullptr, &current) != 0) continue;
      if ((current.sa_flags & SA_SIGINFO) != 0 || current.sa_handler != SIG_DFL) continue;
      struct sigaction ours {};
      ours.sa_handler = do_nothing;
      sigemptyset(&ours.sa_mask);
      if (::sigaction(candidate, &ours, nullptr) == 0) return candidate;
    }
    return 0;
  }();
  return chosen;
}

timespec to_timespec(int64_t nanoseconds) {
  return {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
}

}  // namespace

int thread_alarm::attach() {
  if (attached_) return 0;
  const int number = alarm_signal();
  if (number == 0) return -8192 - EAGAIN;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = number;
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
  event.sigev_notify_thread_id = static_cast<pid_t>(::syscall(SYS_gettid));
  if (::timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) return -4096 - errno;
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, number);
  pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
  attached_ = true;
  return 0;
}

thread_alarm::~thread_alarm() {
  if (attached_) ::timer_delete(timer_);
}

void thread_alarm::start(int64_t nanoseconds) {
  const itimerspec schedule{to_timespec(1'000'000), to_timespec(nanoseconds > 0 ? nanoseconds : 1)};
  if (attached_) ::timer_settime(timer_, 0, &schedule, nullptr);
}

void thread_alarm::stop() {
  const itimerspec never{};
  if (attached_) ::timer_settime(timer_, 0, &never, nullptr);
}

namespace {

constexpr int watched[] = {SIGINT, SIGTERM};
constexpr int watched_count = 2;

// Written by the main thread while its handlers stand, read by the handler, which runs on the main thread
// or on one that the kernel chose: hence atomics. The actions are written before the handler is installed.
std::atomic<int> seen{0};
struct sigaction previous[watched_count];

void note_and_pass_on(int number, siginfo_t* info, void* context) {
  seen.store(number, std::memory_order_relaxed);
  for (int index = 0; index < watched_count; index++) {
    if (watched[index] != number) continue;
    const struct sigaction host = previous[index];
    // Node's own handler of an unhandled SIGINT counts on SA_RESETHAND: it raises the signal again to die.
    if ((host.sa_flags & SA_RESETHAND) != 0) {
      struct sigaction fallback {};
      fallback.sa_handler = SIG_DFL;
      sigemptyset(&fallback.sa_mask);
      ::sigaction(number, &fallback, nullptr);
    }
    if ((host.sa_flags & SA_SIGINFO) != 0) {
      host.sa_sigaction(number, info, context);
    } else {
      host.sa_handler(number);
    }
  }
}

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == note_and_pass_on;
}

}  // namespace

termination_watch::termination_watch() : main_thread_(::syscall(SYS_gettid) == ::getpid()) {
  if (!main_thread_) return;
  seen.store(0, std::memory_order_relaxed);
  renew();
}

void termination_watch::renew() {
  if (!main_thread_) return;
  for (int index = 0; index < watched_count; index++) {
    struct sigaction current {};
    if (::sigaction(watched[index], nullptr, &current) != 0 || is_ours(current)) continue;
    const bool handled = (current.sa_flags & SA_SIGINFO) != 0 ||
                         (current.sa_handler != SIG_DFL && current.sa_handler != SIG_IGN);
    if (!handled) continue;
    previous[index] = current;
    struct sigaction ours = current;
    ours.sa_flags = (current.sa_flags & ~SA_RESETHAND & ~SA_RESTART) | SA_SIGINFO;
    ours.sa_sigaction = note_and_pass_on;
    ::sigaction(watched[index], &ours, nullptr);
  }
}

termination_watch::~termination_watch() {
  if (!main_thread_) return;
  for (int index = 0; index < watched_count; index++) {
    struct sigaction current {};
    if (::sigaction(watched[index], nullptr, &current) != 0 || !is_ours(current)) continue;
    ::sigaction(watched[index], &previous[index], nullptr);
  }
}

int termination_watch::signal() const { return main_thread_ ? seen.load(std::memory_order_relaxed) : 0; }

int termination_watch::take() { return main_thread_ ? seen.exchange(0, std::memory_order_relaxed) : 0; }

}  // namespace ipckit::sys
