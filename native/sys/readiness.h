// One thread that polls every descriptor that somebody waits for: POSIX queues, notice sockets. It never
// reads from them, so no message is ever in its hands.
#pragma once

#include <pthread.h>

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "sys/event_sink.h"
#include "sys/fd.h"
#include "sys/outcome.h"

namespace ipckit::sys {

class readiness {
 public:
  explicit readiness(event_sink& sink) : sink_(sink) {}
  ~readiness() { stop(); }
  readiness(const readiness&) = delete;
  readiness& operator=(const readiness&) = delete;

  /// Asks for one event of `token` for each of `events` (epoll(7)) of the descriptor. Starts the thread.
  outcome<nothing> arm(int token, int descriptor, uint32_t events);
  /// Forgets the descriptor; called before it is closed. An event that is already in the sink stays there.
  void forget(int token);
  void stop();

 private:
  struct interest {
    int descriptor;
    uint32_t wanted;
  };

  outcome<nothing> start();
  /// Runs off the main thread.
  void run();
  void deliver(int token, uint32_t events);

  event_sink& sink_;
  fd epoll_;
  fd quit_;
  pthread_t thread_{};
  bool running_ = false;
  /// Guards interests_, and with it the order of epoll_ctl(2) calls; nothing else is taken while held.
  std::mutex mutex_;
  std::unordered_map<int, interest> interests_;
};

}  // namespace ipckit::sys
