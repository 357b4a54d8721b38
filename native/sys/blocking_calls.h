// Threads for system calls that can only block: the waits on System V queues. A thread is busy with one
// wait at a time, rests for a while when that has ended, and is gone when nobody needed it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "sys/event_sink.h"
#include "sys/interrupt.h"
#include "sys/outcome.h"
#include "sys/sysv_queue.h"

namespace ipckit::sys {

class blocking_calls {
 public:
  explicit blocking_calls(event_sink& sink) : sink_(sink) {}
  ~blocking_calls() { stop(); }
  blocking_calls(const blocking_calls&) = delete;
  blocking_calls& operator=(const blocking_calls&) = delete;

  /// Each ends in exactly one event of `token`: the result of sysv_queue::wait_to_receive or wait_to_send,
  /// or -ECANCELED when it was cancelled first. `message` begins with its message_header.
  outcome<nothing> wait_to_receive(int token, const sysv_queue& queue, message_selector selector);
  outcome<nothing> wait_to_send(int token, const sysv_queue& queue, std::vector<char> message);

  /// Asks a wait to end. Its event still comes, and tells which was first, the end or the message.
  void cancel(int token);
  /// Ends all waits and joins all threads; no event comes any more.
  void stop();

 private:
  struct call {
    int token = 0;
    sysv_queue queue;
    message_selector selector;
    /// Empty for a wait to receive.
    std::vector<char> message;
  };

  struct worker {
    pthread_t thread{};
    thread_alarm alarm;
    /// Guarded by mutex_: whether there is a call to make or being made, and whether the thread is to end.
    bool busy = false;
    bool quit = false;
    bool gone = false;
    std::condition_variable changed;
    call todo;
    /// Set under mutex_, read by the stop condition of the blocked call without it.
    std::atomic<bool> cancelled{false};
  };

  outcome<nothing> hand_over(call todo);
  outcome<worker*> spare_worker();
  void join_gone();
  /// Run off the main thread.
  void run(worker& self);
  int make(worker& self, long* taken);
  /// Nobody is left to be told of a message without text that a wait took while it was being ended.
  static void put_back(call& done, long taken);
  static void* entry(void* argument);

  event_sink& sink_;
  /// Guards workers_ and what a worker says it guards; the sink's lock is never taken while held.
  std::mutex mutex_;
  std::list<worker> workers_;
};

}  // namespace ipckit::sys
