// Two ways in which a signal may end a blocking system call: ours, sent by a timer to a thread that must
// look up from its call; and the user's Ctrl-C, which must end a call that blocks the main thread.
#pragma once

#include <signal.h>
#include <time.h>

#include <cstdint>

namespace ipckit::sys {

/// Interrupts system calls of the thread that made it, and of no other.
///
/// A signal that arrives just before the call that it should interrupt is lost (signal-safety(7) knows no
/// remedy for msgrcv(2), which takes no signal mask), so it is sent again every millisecond until stop().
class thread_alarm {
 public:
  thread_alarm() = default;
  thread_alarm(const thread_alarm&) = delete;
  thread_alarm& operator=(const thread_alarm&) = delete;
  ~thread_alarm();

  /// Called once, on the thread that is to be interrupted: 0, or why no call may be begun, as its result.
  /// Next to the errno of the call itself, -4095 to -1, that is -4096 less the errno of timer_create(2), or
  /// -8192 less that of sigaction(2). lib/wait/asking.ts takes it apart.
  int attach();
  /// From any thread: interrupts after `nanoseconds`, and every millisecond from then on.
  void start(int64_t nanoseconds);
  void stop();

 private:
  timer_t timer_{};
  bool attached_ = false;
};

/// While it lives on the main thread, notes that SIGINT or SIGTERM came. The handlers that the host had
/// installed run as before. On other threads it does nothing: signals reach the main thread first.
class termination_watch {
 public:
  termination_watch();
  ~termination_watch();
  termination_watch(const termination_watch&) = delete;
  termination_watch& operator=(const termination_watch&) = delete;

  /// Watches again where the host has installed a handler since.
  void renew();
  /// The signal that came, or 0.
  int signal() const;
  /// The same, and from now on none came.
  int take();

 private:
  bool main_thread_;
};

}  // namespace ipckit::sys
