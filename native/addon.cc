// Registration and per-environment state, nothing else.
#include <sched.h>

#include "node/args.h"
#include "node/bindings.h"

namespace ipckit::node {

namespace {

void register_memory(napi_env env, registered_memory& memory, napi_value array) {
  size_t length = 0;
  void* data = nullptr;
  napi_typedarray_type type;
  napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr);
  memory.keep = Napi::Persistent(Napi::Object(env, array));
  memory.data = static_cast<char*>(data);
  memory.size = type == napi_int32_array ? length * sizeof(int32_t) : length;
}

/// useInbox(bytes, index): where received messages are laid from now on
napi_value use_inbox(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  register_memory(env, given.self().inbox.bytes, given.raw(0));
  register_memory(env, given.self().inbox.index, given.raw(1));
  return nullptr;
}

/// startWaits(callback, events): see wait_engine::start
napi_value start_waits(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  given.self().waits.start(Napi::Function(env, given.raw(0)), Napi::TypedArray(env, given.raw(1)));
  return nullptr;
}

/// keepAlive(alive)
napi_value keep_alive(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  given.self().waits.keep_alive(given.integer(0) != 0);
  return nullptr;
}

/// watchTermination(on): from now on, or no longer, a SIGINT or SIGTERM that the host handles ends calls that
/// block. Called again when the host may have installed other handlers since.
napi_value watch_termination(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  std::optional<sys::termination_watch>& watch = given.self().termination;
  if (given.integer(0) == 0) {
    watch.reset();
  } else if (watch) {
    watch->renew();
  } else {
    watch.emplace();
  }
  return nullptr;
}

/// yieldProcessor(): lets another thread have this CPU, if one wants it: sched_yield(2)
napi_value yield_processor(napi_env, napi_callback_info) {
  ::sched_yield();
  return nullptr;
}

/// waitForEvents(milliseconds): blocks until there are events, and lays them where startWaits was told: how
/// many, 0 when none came in time, or -EINTR after a signal that ends waits
napi_value wait_for_events(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  environment& self = given.self();
  const size_t count = self.waits.wait(given.number(0));
  if (count == 0 && self.is_interrupted()) return to_js(env, -EINTR);
  return to_js(env, static_cast<int32_t>(count));
}

/// cancelCall(token): asks a call on a thread to end; its event still comes
napi_value cancel_call(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  given.self().waits.calls.cancel(given.integer(0));
  return nullptr;
}

/// heardCall(token): JavaScript has the event of a call on a thread, and what the call did is its own. What
/// it never hears of, as a worker thread that is terminated calls no more JavaScript, is taken back.
napi_value heard_call(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  given.self().waits.calls.delivered(given.integer(0));
  return nullptr;
}

/// Runs after the hook that wait_engine::start adds (hooks run newest first): the threads have ended.
void end_environment(void* data) { delete static_cast<environment*>(data); }

}  // namespace

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto* self = new environment(env);
  define(env, exports, *self, "useInbox", use_inbox);
  define(env, exports, *self, "startWaits", start_waits);
  define(env, exports, *self, "keepAlive", keep_alive);
  define(env, exports, *self, "watchTermination", watch_termination);
  define(env, exports, *self, "waitForEvents", wait_for_events);
  define(env, exports, *self, "yieldProcessor", yield_processor);
  define(env, exports, *self, "cancelCall", cancel_call);
  define(env, exports, *self, "heardCall", heard_call);
  define_fifo_queue(env, exports, *self);
  define_mapping(env, exports, *self);
  define_pipe(env, exports, *self);
  define_posix_memory(env, exports, *self);
  define_posix_queue(env, exports, *self);
  define_posix_semaphore(env, exports, *self);
  define_shm_queue(env, exports, *self);
  define_sync(env, exports, *self);
  define_sysv_memory(env, exports, *self);
  define_sysv_queue(env, exports, *self);
  define_sysv_semaphore(env, exports, *self);
  define_unix_socket(env, exports, *self);
  napi_add_env_cleanup_hook(env, end_environment, self);
  return exports;
}

NODE_API_MODULE(ipckit, initialise)

}  // namespace ipckit::node
