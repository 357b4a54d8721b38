// System V semaphore sets, as lib/sysv sees them. Operations cross as three int16 each: semaphore, change,
// flags, which is a sembuf of semop(2).
#include <algorithm>
#include <span>
#include <vector>

#include "node/args.h"
#include "node/bindings.h"
#include "node/block.h"
#include "node/throw.h"

namespace ipckit::node {

namespace {

static_assert(sizeof(sembuf) == 3 * sizeof(int16_t));

std::span<const sembuf> operations_of(napi_env env, napi_value array) {
  const auto numbers = numbers_of<const int16_t>(env, array);
  return {reinterpret_cast<const sembuf*>(numbers.data()), numbers.size() / 3};
}

/// What a call does with the set whose handle is its first argument: its result, or -EBADF.
template <size_t Count, class Call>
napi_value with_set(napi_env env, const arguments<Count>& given, Call call) {
  sys::sysv_semaphore_set* set = given.self().sysv_semaphore_sets.find(given.integer(0));
  return to_js(env, set == nullptr ? -EBADF : call(*set));
}

/// semsetGet(key, count, flags): id
napi_value semset_get(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  const sys::outcome<int> id =
      sys::sysv_semaphore_set::get(given.integer(0), given.integer(1), given.integer(2));
  return id.ok() ? to_js(env, id.value()) : throw_failure(env, id.why());
}

/// semsetAttach(id): handle
napi_value semset_attach(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return handle_or_throw(env, given.self().sysv_semaphore_sets,
                         sys::sysv_semaphore_set::attach(given.integer(0)));
}

/// semsetDetach(handle)
napi_value semset_detach(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  given.self().sysv_semaphore_sets.remove(given.integer(0));
  return nullptr;
}

/// semsetRemove(handle)
napi_value semset_remove(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  sys::sysv_semaphore_set* set = given.self().sysv_semaphore_sets.find(given.integer(0));
  if (set == nullptr) return throw_failure(env, {EBADF, "semctl"});
  return done_or_throw(env, set->remove());
}

/// semsetStatus(handle, Float64Array): id, key, size, uid, gid, creator's uid and gid, mode, and the times of
/// the last operation and change
napi_value semset_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sys::sysv_semaphore_set* set = given.self().sysv_semaphore_sets.find(given.integer(0));
  if (set == nullptr) return throw_failure(env, {EBADF, "semctl"});
  if (const int stale = set->check_identity(); stale != 0) return throw_failure(env, {-stale, "semctl"});
  const sys::outcome<semid_ds> status = set->status();
  if (!status.ok()) return throw_failure(env, status.why());
  const semid_ds& now = status.value();
  const ipc_perm& permissions = now.sem_perm;
  fill(env, given.raw(1),
       {static_cast<double>(set->id()), static_cast<double>(static_cast<uint32_t>(permissions.__key)),
        static_cast<double>(now.sem_nsems), static_cast<double>(permissions.uid),
        static_cast<double>(permissions.gid), static_cast<double>(permissions.cuid),
        static_cast<double>(permissions.cgid), static_cast<double>(permissions.mode & 0777),
        static_cast<double>(now.sem_otime), static_cast<double>(now.sem_ctime)});
  return nullptr;
}

/// semsetSet(handle, uid, gid, mode)
napi_value semset_set(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  sys::sysv_semaphore_set* set = given.self().sysv_semaphore_sets.find(given.integer(0));
  if (set == nullptr) return throw_failure(env, {EBADF, "semctl"});
  return done_or_throw(env, set->set(static_cast<uid_t>(given.whole(1)), static_cast<gid_t>(given.whole(2)),
                                     static_cast<mode_t>(given.integer(3))));
}

/// semsetLimits(Float64Array [sets, setSize, semaphores, operations, value, usedSets, usedSemaphores])
napi_value semset_limits(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::outcome<sys::sysv_semaphore_limits> limits = sys::sysv_semaphore_limits_now();
  if (!limits.ok()) return throw_failure(env, limits.why());
  const sys::sysv_semaphore_limits& now = limits.value();
  fill(env, given.raw(0),
       {static_cast<double>(now.sets), static_cast<double>(now.set_size), static_cast<double>(now.semaphores),
        static_cast<double>(now.operations), static_cast<double>(now.value),
        static_cast<double>(now.used_sets), static_cast<double>(now.used_semaphores)});
  return nullptr;
}

/// semsetQuery(handle, semaphore, command): the number, or -errno
napi_value semset_query(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  return with_set(env, given, [&](auto& set) { return set.query(given.integer(1), given.integer(2)); });
}

/// semsetSetValue(handle, semaphore, value): 0 or -errno
napi_value semset_set_value(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  return with_set(env, given, [&](auto& set) { return set.set_value(given.integer(1), given.integer(2)); });
}

/// semsetValues(handle, Uint16Array as long as the set): 0 or -errno
napi_value semset_values(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  return with_set(env, given, [&](auto& set) {
    const auto into = numbers_of<unsigned short>(env, given.raw(1));
    // The kernel writes as many as the set has, which may be another set by now: never more than it can have.
    std::vector<unsigned short> values(1 << 16);
    const int result = set.values(values);
    if (result >= 0) std::copy_n(values.begin(), into.size(), into.begin());
    return result;
  });
}

/// semsetSetValues(handle, Uint16Array as long as the set): 0 or -errno
napi_value semset_set_values(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  return with_set(env, given, [&](auto& set) {
    const auto numbers = numbers_of<const unsigned short>(env, given.raw(1));
    std::vector<unsigned short> values(numbers.begin(), numbers.end());
    values.resize(1 << 16);
    return set.set_values(values);
  });
}

/// semopOne(handle, semaphore, change, flags): 0 or -errno; one operation, without waiting
napi_value semop_one(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  return with_set(env, given, [&](auto& set) {
    const sembuf operation{static_cast<unsigned short>(given.integer(1)),
                           static_cast<short>(given.integer(2)), static_cast<short>(given.integer(3))};
    return set.operate(&operation, 1);
  });
}

/// semop(handle, operations): 0 or -errno; without waiting
napi_value semop(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  return with_set(env, given, [&](auto& set) {
    const std::span<const sembuf> operations = operations_of(env, given.raw(1));
    return set.operate(operations.data(), operations.size());
  });
}

/// semopTakeBack(handle, operations): 0 or -errno
napi_value semop_take_back(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  return with_set(env, given, [&](auto& set) {
    const std::span<const sembuf> operations = operations_of(env, given.raw(1));
    return set.take_back(operations.data(), operations.size());
  });
}

/// semopWait(handle, operations, milliseconds): 1 done; 0 not in time; -EINTR after a signal that ends waits;
/// or -errno
napi_value semop_wait(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  environment& self = given.self();
  sys::sysv_semaphore_set* set = self.sysv_semaphore_sets.find(given.integer(0));
  if (set == nullptr) return to_js(env, -EBADF);
  const std::span<const sembuf> operations = operations_of(env, given.raw(1));
  const sys::deadline until = sys::deadline::in_milliseconds(given.number(2));
  const int result = block(self, given.number(2), [&](const sys::stop_condition& stop) {
    return set->wait(operations.data(), operations.size(), &until, stop);
  });
  if (result == 0) return to_js(env, 1);
  return to_js(env, result == -ETIMEDOUT ? 0 : result);
}

/// semopCall(handle, token, operations): waits on a thread; one event of the token, 0 when they were done
napi_value semop_call(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  environment& self = given.self();
  const sys::sysv_semaphore_set* set = self.sysv_semaphore_sets.find(given.integer(0));
  if (set == nullptr) return throw_failure(env, {EBADF, "semop"});
  const std::span<const sembuf> span = operations_of(env, given.raw(2));
  const std::vector<sembuf> operations(span.begin(), span.end());
  const sys::outcome<sys::nothing> begun = self.waits.calls.begin(
      given.integer(1), {[waiting = *set, operations](const sys::stop_condition& stop, long*) mutable {
                           return waiting.wait(operations.data(), operations.size(), nullptr, stop);
                         },
                         [waiting = *set, operations](long) mutable {
                           (void)waiting.take_back(operations.data(), operations.size());
                         }});
  return done_or_throw(env, begun);
}

}  // namespace

void define_sysv_semaphore(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "semsetGet", semset_get);
  define(env, exports, self, "semsetAttach", semset_attach);
  define(env, exports, self, "semsetDetach", semset_detach);
  define(env, exports, self, "semsetRemove", semset_remove);
  define(env, exports, self, "semsetStatus", semset_status);
  define(env, exports, self, "semsetSet", semset_set);
  define(env, exports, self, "semsetLimits", semset_limits);
  define(env, exports, self, "semsetQuery", semset_query);
  define(env, exports, self, "semsetSetValue", semset_set_value);
  define(env, exports, self, "semsetValues", semset_values);
  define(env, exports, self, "semsetSetValues", semset_set_values);
  define(env, exports, self, "semopOne", semop_one);
  define(env, exports, self, "semop", semop);
  define(env, exports, self, "semopTakeBack", semop_take_back);
  define(env, exports, self, "semopWait", semop_wait);
  define(env, exports, self, "semopCall", semop_call);
}

}  // namespace ipckit::node
