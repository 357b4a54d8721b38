// Threads of our own never run a signal handler of the host: signals are blocked while they are made.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace ipckit::sys {

/// A thread that is started while one of these lives inherits a mask that blocks every signal.
class all_signals_blocked {
 public:
  all_signals_blocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~all_signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  all_signals_blocked(const all_signals_blocked&) = delete;
  all_signals_blocked& operator=(const all_signals_blocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace ipckit::sys
