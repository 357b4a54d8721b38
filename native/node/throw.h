// How a failed system call reaches TypeScript. Calls that return a number return the negative errno; calls
// that make several system calls throw `{errno, syscall}`. Every sentence is made in lib/errors.ts.
#pragma once

#include <napi.h>

#include <utility>

#include "node/args.h"
#include "node/handle.h"
#include "sys/outcome.h"

namespace ipckit::node {

inline napi_value throw_failure(napi_env env, const sys::failure& why) {
  Napi::Object error = Napi::Object::New(env);
  error.Set("errno", -why.error);
  error.Set("syscall", why.syscall);
  napi_throw(env, error);
  return nullptr;
}

/// For calls that return nothing.
inline napi_value done_or_throw(napi_env env, const sys::outcome<sys::nothing>& done) {
  return done.ok() ? nullptr : throw_failure(env, done.why());
}

/// The handle of what was opened.
template <class T>
napi_value handle_or_throw(napi_env env, handle_table<T>& table, sys::outcome<T> opened) {
  if (!opened.ok()) return throw_failure(env, opened.why());
  return to_js(env, table.add(std::move(opened.value())));
}

}  // namespace ipckit::node
