#include "node/wait.h"

#include <algorithm>
#include <chrono>

namespace ipckit::node {

void wait_engine::start(Napi::Function callback, Napi::TypedArray events) {
  if (function_ != nullptr) return;
  keep_events_ = Napi::Persistent(events.As<Napi::Object>());
  events_ = reinterpret_cast<int32_t*>(static_cast<char*>(events.ArrayBuffer().Data()) + events.ByteOffset());
  room_ = events.ElementLength() / 4;
  const Napi::String name = Napi::String::New(env_, "ipckit waits");
  if (napi_create_threadsafe_function(env_, callback, nullptr, name, 0, 1, nullptr, nullptr, this, &call_js,
                                      &function_) != napi_ok) {
    function_ = nullptr;
    return;
  }
  keep_alive(false);
  // Cleanup hooks run newest first. Added after the function was made, this one runs before the function's
  // own: the threads are joined while it is still there to be called.
  napi_add_env_cleanup_hook(
      env_, [](void* self) { static_cast<wait_engine*>(self)->stop(); }, this);
}

void wait_engine::keep_alive(bool alive) {
  if (function_ == nullptr) return;
  if (alive) {
    napi_ref_threadsafe_function(env_, function_);
  } else {
    napi_unref_threadsafe_function(env_, function_);
  }
}

void wait_engine::stop() {
  polls.stop();
  calls.stop();
  words.stop();
  if (function_ == nullptr) return;
  napi_release_threadsafe_function(function_, napi_tsfn_abort);
  function_ = nullptr;
}

// Runs on the thread that put an event.
void wait_engine::wake() { napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking); }

void wait_engine::call_js(napi_env env, napi_value callback, void* context, void*) {
  // Without an environment the loop is being torn down, and nobody waits any more.
  if (env == nullptr || callback == nullptr) return;
  static_cast<wait_engine*>(context)->deliver(env, callback);
}

void wait_engine::deliver(napi_env env, napi_value callback) {
  napi_value receiver;
  if (napi_get_undefined(env, &receiver) != napi_ok) return;
  while (const size_t count = lay()) {
    napi_value argument;
    if (napi_create_uint32(env, static_cast<uint32_t>(count), &argument) != napi_ok) return;
    // The callback catches what it calls; a failure here is the loop ending, and the rest has no reader.
    if (napi_call_function(env, receiver, callback, 1, &argument, nullptr) != napi_ok) return;
  }
}

size_t wait_engine::wait(double milliseconds) {
  if (laid_ == taken_.size()) sink_.wait(std::chrono::nanoseconds(static_cast<int64_t>(milliseconds * 1e6)));
  return lay();
}

size_t wait_engine::lay() {
  if (laid_ == taken_.size()) {
    sink_.take(taken_);
    laid_ = 0;
  }
  const size_t count = std::min(room_, taken_.size() - laid_);
  for (size_t index = 0; index < count; index++) {
    const sys::event& event = taken_[laid_ + index];
    int32_t* entry = events_ + index * 4;
    entry[0] = event.token;
    entry[1] = event.result;
    entry[2] = static_cast<int32_t>(static_cast<uint64_t>(event.taken));
    entry[3] = static_cast<int32_t>(static_cast<uint64_t>(event.taken) >> 32);
  }
  laid_ += count;
  return count;
}

}  // namespace ipckit::node
