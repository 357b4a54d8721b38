// The only place where threads meet JavaScript. Three kinds of threads see that a wait is over (readiness,
// blocking_calls, futex_waits), put an event into the sink and wake the loop through one thread-safe
// function; JavaScript is then told of all events at once.
#pragma once

#include <napi.h>

#include <vector>

#include "sys/blocking_calls.h"
#include "sys/event_sink.h"
#include "sys/futex_waits.h"
#include "sys/readiness.h"

namespace ipckit::node {

class wait_engine {
 public:
  explicit wait_engine(Napi::Env env)
      : env_(env), sink_([this] { wake(); }), polls(sink_), calls(sink_), words(sink_) {}
  ~wait_engine() { stop(); }

  /// `callback(count)` is called with the events laid in `events`, four int32 for each: token, result, and
  /// the two halves of the type of a message that was taken. Starts no thread.
  void start(Napi::Function callback, Napi::TypedArray events);
  /// Blocks until there are events, at most so long, and lays them in `events`: how many. For a thread that
  /// blocks while it has also asked; the callback is not called for them.
  size_t wait(double milliseconds);
  /// Whether waiting keeps the process alive.
  void keep_alive(bool alive);
  void stop();

 private:
  static void call_js(napi_env env, napi_value callback, void* context, void* data);
  void wake();
  void deliver(napi_env env, napi_value callback);
  /// Lays what is in the sink in `events`, as many as there is room for: how many.
  size_t lay();

  Napi::Env env_;
  sys::event_sink sink_;
  napi_threadsafe_function function_ = nullptr;
  Napi::ObjectReference keep_events_;
  int32_t* events_ = nullptr;
  size_t room_ = 0;
  /// Out of the sink, from `laid_` on not yet in `events`.
  std::vector<sys::event> taken_;
  size_t laid_ = 0;

 public:
  // After the sink that they use.
  sys::readiness polls;
  sys::blocking_calls calls;
  sys::futex_waits words;
};

}  // namespace ipckit::node
