// Who has an object in shared memory open, as JavaScript is told.
#pragma once

#include <napi.h>

#include <algorithm>
#include <vector>

#include "ipckit/error.h"

namespace ipckit::node {

/// As many as an object can have.
constexpr size_t most_participants = 1024;

/// An array of {pid, name, roles, leases, since, alive, self} of the first `count`.
inline napi_value participants_to_js(napi_env env, const std::vector<ipckit_participant_t>& attached,
                                     size_t count) {
  Napi::Array list = Napi::Array::New(env);
  for (size_t at = 0; at < std::min(count, attached.size()); at++) {
    const ipckit_participant_t& one = attached[at];
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("pid", one.pid);
    entry.Set("name", one.name);
    entry.Set("roles", one.roles);
    entry.Set("leases", one.leases);
    entry.Set("since", static_cast<double>(one.since));
    entry.Set("alive", Napi::Boolean::New(env, one.alive != 0));
    entry.Set("self", Napi::Boolean::New(env, one.self != 0));
    list.Set(static_cast<uint32_t>(at), entry);
  }
  return list;
}

}  // namespace ipckit::node
