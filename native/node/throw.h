// How a failed system call reaches TypeScript. Calls that return a number return the negative errno; calls
// that make several system calls throw `{errno, syscall}`. Every sentence is made in lib/errors.ts.
#pragma once

#include <napi.h>

#include "sys/outcome.h"

namespace ipckit::node {

inline napi_value throw_failure(napi_env env, const sys::failure& why) {
  Napi::Object error = Napi::Object::New(env);
  error.Set("errno", -why.error);
  error.Set("syscall", why.syscall);
  napi_throw(env, error);
  return nullptr;
}

}  // namespace ipckit::node
