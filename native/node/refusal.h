// Why an object in shared memory was not opened, as JavaScript is told.
#pragma once

#include <napi.h>

#include "ipckit/error.h"

namespace ipckit::node {

/// Throws the result of the opener, and what it found there.
inline napi_value throw_refusal(napi_env env, int error, const char* syscall, const ipckit_refusal_t& found) {
  Napi::Object why = Napi::Object::New(env);
  why.Set("errno", error);
  why.Set("syscall", syscall);
  why.Set("kind", found.kind);
  why.Set("type", found.type_name);
  why.Set("version", found.version);
  why.Set("owner", found.owner);
  why.Set("mode", found.mode & 07777);
  why.Set("links", found.links);
  why.Set("size", static_cast<double>(found.size_bytes));
  napi_throw(env, why);
  return nullptr;
}

}  // namespace ipckit::node
