#include "sys/blocking_calls.h"

#include <pthread.h>

#include <chrono>
#include <utility>

#include "sys/threads.h"

namespace ipckit::sys {

namespace {

/// How long a thread without work stays: long enough that steady traffic never makes a thread (about 30 us),
/// short enough that an idle process soon has none.
constexpr std::chrono::milliseconds rest{500};

}  // namespace

outcome<nothing> blocking_calls::wait_to_receive(int token, const sysv_queue& queue,
                                                 message_selector selector) {
  return begin(token, {[waiting = queue, selector](const stop_condition& stop, long* taken) mutable {
                         return waiting.wait_to_receive(selector, stop, taken);
                       },
                       // A message without text that the wait could not leave in the queue.
                       [waiting = queue](long taken) mutable {
                         const message_header empty{taken};
                         (void)waiting.send(&empty, 0);
                       }});
}

outcome<nothing> blocking_calls::wait_to_send(int token, const sysv_queue& queue, std::vector<char> message) {
  return begin(token,
               {[waiting = queue, message = std::move(message)](const stop_condition& stop, long*) mutable {
                  return waiting.wait_to_send(message.data(), message.size() - sizeof(message_header), stop);
                },
                nullptr});
}

outcome<nothing> blocking_calls::begin(int token, blocking_call call) {
  join_gone();
  const std::lock_guard lock(mutex_);
  outcome<worker*> spare = spare_worker();
  if (!spare.ok()) return spare.why();
  worker& chosen = *spare.value();
  chosen.token = token;
  chosen.todo = std::move(call);
  chosen.cancelled.store(false, std::memory_order_relaxed);
  chosen.busy = true;
  chosen.changed.notify_one();
  return nothing{};
}

// Called with mutex_ held.
outcome<blocking_calls::worker*> blocking_calls::spare_worker() {
  for (worker& candidate : workers_) {
    if (!candidate.busy && !candidate.quit) return &candidate;
  }
  return start_worker<&blocking_calls::run>(*this, workers_);
}

void blocking_calls::join_gone() {
  std::list<worker> gone;
  {
    const std::lock_guard lock(mutex_);
    for (auto each = workers_.begin(); each != workers_.end();) {
      const auto next = std::next(each);
      if (each->gone) gone.splice(gone.end(), workers_, each);
      each = next;
    }
  }
  for (worker& each : gone) pthread_join(each.thread, nullptr);
}

void blocking_calls::cancel(int token) {
  const std::lock_guard lock(mutex_);
  for (worker& each : workers_) {
    if (!each.busy || each.token != token) continue;
    // Pairs with the load in make(): the flag is up before the first signal can be seen.
    each.cancelled.store(true, std::memory_order_release);
    each.alarm.start(0);
    return;
  }
}

void blocking_calls::stop() {
  {
    const std::lock_guard lock(mutex_);
    for (worker& each : workers_) {
      each.quit = true;
      each.cancelled.store(true, std::memory_order_release);
      each.alarm.start(0);
      each.changed.notify_one();
    }
  }
  for (worker& each : workers_) pthread_join(each.thread, nullptr);
  workers_.clear();
  for (auto& [token, done] : done_) done.take_back(done.taken);
  done_.clear();
}

void blocking_calls::delivered(int token) {
  const std::lock_guard lock(mutex_);
  done_.erase(token);
}

int blocking_calls::make(worker& self, long* taken) {
  const stop_condition cancelled{
      [](const void* context) {
        return static_cast<const std::atomic<bool>*>(context)->load(std::memory_order_acquire);
      },
      &self.cancelled};
  // A call that was cancelled before it began is not begun: its signals may all have come already.
  const int result = cancelled.holds() ? -EINTR : self.todo.make(cancelled, taken);
  return result == -EINTR ? -ECANCELED : result;
}

void blocking_calls::run(worker& self) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const bool woken = self.changed.wait_for(lock, rest, [&] { return self.busy || self.quit; });
    if (!woken || self.quit) break;
    // Here, as it may fail now and work for the next call. Under the lock, as cancel() starts the alarm.
    const int attached = self.alarm.attach();
    lock.unlock();
    long taken = 0;
    // Without an alarm the call could not be ended again, and must not be begun.
    const int result = attached == 0 ? make(self, &taken) : attached;
    lock.lock();
    // Under the lock, so that no cancel() can start it again for a call that is over.
    self.alarm.stop();
    const int token = self.token;
    if (result == 0 && self.todo.take_back) done_[token] = {std::move(self.todo.take_back), taken};
    // Here and not with the next call: what it holds may be the last of a handle.
    self.todo = {};
    self.busy = false;
    if (self.quit) break;
    // The worker is free before its event is seen, so that the answer to the event finds it.
    lock.unlock();
    sink_.put({token, result, taken});
    lock.lock();
  }
  self.quit = true;
  self.gone = true;
}

}  // namespace ipckit::sys
