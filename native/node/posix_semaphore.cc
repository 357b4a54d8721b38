// Named POSIX semaphores, as lib/posix sees them.
#include "node/args.h"
#include "node/bindings.h"
#include "node/block.h"
#include "node/throw.h"

namespace ipckit::node {

namespace {

/// semOpen(name, trustOthers): handle
napi_value sem_open(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  return handle_or_throw(env, given.self().posix_semaphores,
                         sys::posix_semaphore::open(given.text(0).c_str(), given.integer(1) != 0));
}

/// semCreate(name, mode, value): handle
napi_value sem_create(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  return handle_or_throw(
      env, given.self().posix_semaphores,
      sys::posix_semaphore::create(given.text(0).c_str(), static_cast<mode_t>(given.integer(1)),
                                   static_cast<unsigned>(given.integer(2))));
}

/// semClose(handle)
napi_value sem_close(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  given.self().posix_semaphores.remove(given.integer(0));
  return nullptr;
}

/// semUnlink(name)
napi_value sem_unlink(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return done_or_throw(env, sys::posix_semaphore::unlink(given.text(0).c_str()));
}

/// semTryWait(handle): 0 or -errno
napi_value sem_try_wait(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  sys::posix_semaphore* semaphore = given.self().posix_semaphores.find(given.integer(0));
  return to_js(env, semaphore == nullptr ? -EBADF : semaphore->try_wait());
}

/// semPost(handle, count): how many were done, or -errno
napi_value sem_post(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sys::posix_semaphore* semaphore = given.self().posix_semaphores.find(given.integer(0));
  return to_js(env, semaphore == nullptr ? -EBADF : semaphore->post(given.integer(1)));
}

/// semValue(handle): the value, or -errno
napi_value sem_value(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  sys::posix_semaphore* semaphore = given.self().posix_semaphores.find(given.integer(0));
  return to_js(env, semaphore == nullptr ? -EBADF : semaphore->value());
}

/// semPassOn(handle): see posix_semaphore::pass_on
napi_value sem_pass_on(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  sys::posix_semaphore* semaphore = given.self().posix_semaphores.find(given.integer(0));
  if (semaphore != nullptr) semaphore->pass_on();
  return nullptr;
}

/// semStatus(handle, Float64Array [value, uid, gid, mode, links])
napi_value sem_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sys::posix_semaphore* semaphore = given.self().posix_semaphores.find(given.integer(0));
  if (semaphore == nullptr) return throw_failure(env, {EBADF, "fstat"});
  const sys::outcome<struct stat> status = semaphore->status();
  if (!status.ok()) return throw_failure(env, status.why());
  const struct stat& now = status.value();
  fill(env, given.raw(1),
       {static_cast<double>(semaphore->value()), static_cast<double>(now.st_uid),
        static_cast<double>(now.st_gid), static_cast<double>(now.st_mode & 0777),
        static_cast<double>(now.st_nlink)});
  return nullptr;
}

/// semWait(handle, milliseconds): 1 when the value was above 0; 0 not in time; -EINTR after a signal that
/// ends waits; or -errno
napi_value sem_wait(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  sys::posix_semaphore* semaphore = self.posix_semaphores.find(given.integer(0));
  if (semaphore == nullptr) return to_js(env, -EBADF);
  const sys::deadline until = sys::deadline::in_milliseconds(given.number(1));
  const int result = block(self, given.number(1),
                           [&](const sys::stop_condition& stop) { return semaphore->wait(&until, stop); });
  if (result == 0) return to_js(env, 1);
  return to_js(env, result == -ETIMEDOUT ? 0 : result);
}

/// semCall(handle, token): waits on a thread; one event of the token, 0 when the value was above 0
napi_value sem_call(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  const sys::posix_semaphore* semaphore = self.posix_semaphores.find(given.integer(0));
  if (semaphore == nullptr) return throw_failure(env, {EBADF, "sem_wait"});
  const sys::outcome<sys::nothing> begun = self.waits.calls.begin(
      given.integer(1), {[waiting = *semaphore](const sys::stop_condition& stop, long*) mutable {
                           return waiting.wait(nullptr, stop);
                         },
                         [waiting = *semaphore](long) mutable { waiting.pass_on(); }});
  return done_or_throw(env, begun);
}

}  // namespace

void define_posix_semaphore(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "semOpen", sem_open);
  define(env, exports, self, "semCreate", sem_create);
  define(env, exports, self, "semClose", sem_close);
  define(env, exports, self, "semUnlink", sem_unlink);
  define(env, exports, self, "semTryWait", sem_try_wait);
  define(env, exports, self, "semPost", sem_post);
  define(env, exports, self, "semValue", sem_value);
  define(env, exports, self, "semPassOn", sem_pass_on);
  define(env, exports, self, "semStatus", sem_status);
  define(env, exports, self, "semWait", sem_wait);
  define(env, exports, self, "semCall", sem_call);
}

}  // namespace ipckit::node
