// Threads for system calls that can only block: the waits on System V queues and on semaphores. A thread is
// busy with one wait at a time, rests for a while when that has ended, and is gone when nobody needed it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "sys/event_sink.h"
#include "sys/interrupt.h"
#include "sys/outcome.h"
#include "sys/stop_condition.h"
#include "sys/sysv_queue.h"

namespace ipckit::sys {

/// A call that blocks, and what takes it back.
struct blocking_call {
  /// Runs off the main thread: 0 when it did what it was to do, or a negative errno; -EINTR when it was
  /// stopped and did nothing. It may lay the type of a message that it took.
  std::function<int(const stop_condition& stop, long* taken)> make;
  /// Takes back what a call did of which nobody is left to be told; may be empty.
  std::function<void(long taken)> take_back;
};

class blocking_calls {
 public:
  explicit blocking_calls(event_sink& sink) : sink_(sink) {}
  ~blocking_calls() { stop(); }
  blocking_calls(const blocking_calls&) = delete;
  blocking_calls& operator=(const blocking_calls&) = delete;

  /// Makes a call on a thread. It ends in exactly one event of `token`: its result; -ECANCELED when it was
  /// cancelled first; or what thread_alarm::attach says.
  outcome<nothing> begin(int token, blocking_call call);
  /// The same with sysv_queue::wait_to_receive and wait_to_send. `message` begins with its message_header.
  outcome<nothing> wait_to_receive(int token, const sysv_queue& queue, message_selector selector);
  outcome<nothing> wait_to_send(int token, const sysv_queue& queue, std::vector<char> message);

  /// Asks a wait to end. Its event still comes, and tells which was first, the end or the message.
  void cancel(int token);
  /// Whoever asked has heard of the event: what the call did is theirs.
  void delivered(int token);
  /// Ends all waits and joins all threads; no event comes any more. What calls did of which nobody has heard
  /// is taken back.
  void stop();

 private:
  struct worker {
    pthread_t thread{};
    thread_alarm alarm;
    /// Guarded by mutex_: whether there is a call to make or being made, and whether the thread is to end.
    bool busy = false;
    bool quit = false;
    bool gone = false;
    std::condition_variable changed;
    int token = 0;
    blocking_call todo;
    /// Set under mutex_, read by the stop condition of the blocked call without it.
    std::atomic<bool> cancelled{false};
  };

  outcome<worker*> spare_worker();
  void join_gone();
  /// Run off the main thread.
  void run(worker& self);
  static int make(worker& self, long* taken);

  event_sink& sink_;
  struct undelivered {
    std::function<void(long taken)> take_back;
    long taken;
  };

  /// Guards workers_, what a worker says it guards, and done_; the sink's lock is never taken while held.
  std::mutex mutex_;
  /// Calls that did something of which nobody has heard yet.
  std::unordered_map<int, undelivered> done_;
  std::list<worker> workers_;
};

}  // namespace ipckit::sys
