// System V shared memory, as lib/sysv sees it.
#include "sys/sysv_memory.h"

#include <unistd.h>

#include "node/args.h"
#include "node/bindings.h"
#include "node/throw.h"

namespace ipckit::node {

namespace {

/// shmGet(key, size, flags): id
napi_value shm_get(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  const sys::outcome<int> id =
      sys::sysv_memory::get(given.integer(0), static_cast<size_t>(given.whole(1)), given.integer(2));
  return id.ok() ? to_js(env, id.value()) : throw_failure(env, id.why());
}

/// shmAttach(id, writable): handle
napi_value shm_attach(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sys::outcome<std::unique_ptr<sys::mapping>> pages =
      sys::mapping::of_segment(given.integer(0), given.integer(1) != 0);
  if (!pages.ok()) return throw_failure(env, pages.why());
  open_memory memory;
  memory.segment = given.integer(0);
  memory.pages = std::move(pages.value());
  return to_js(env, given.self().memories.add(std::move(memory)));
}

/// The id that the handle is attached to; -1, which the kernel refuses, when it is closed.
int segment_of(environment& self, int32_t handle) {
  const open_memory* memory = self.memories.find(handle);
  return memory == nullptr ? -1 : memory->segment;
}

/// shmRemove(id)
napi_value shm_remove(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return done_or_throw(env, sys::sysv_memory::remove(given.integer(0)));
}

/// segmentStatus(handle, Float64Array): id, key, size, uid, gid, creator's uid and gid, mode with the
/// kernel's own bits, creator's pid, last user's pid, how often it is attached, and the times of last attach,
/// detach and change
napi_value segment_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const int id = segment_of(given.self(), given.integer(0));
  const sys::outcome<shmid_ds> status = sys::sysv_memory::status(id);
  if (!status.ok()) return throw_failure(env, status.why());
  const shmid_ds& now = status.value();
  const ipc_perm& permissions = now.shm_perm;
  fill(env, given.raw(1),
       {static_cast<double>(id), static_cast<double>(static_cast<uint32_t>(permissions.__key)),
        static_cast<double>(now.shm_segsz), static_cast<double>(permissions.uid),
        static_cast<double>(permissions.gid), static_cast<double>(permissions.cuid),
        static_cast<double>(permissions.cgid), static_cast<double>(permissions.mode),
        static_cast<double>(now.shm_cpid), static_cast<double>(now.shm_lpid),
        static_cast<double>(now.shm_nattch), static_cast<double>(now.shm_atime),
        static_cast<double>(now.shm_dtime), static_cast<double>(now.shm_ctime)});
  return nullptr;
}

/// segmentSet(handle, uid, gid, mode)
napi_value segment_set(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  return done_or_throw(
      env,
      sys::sysv_memory::set(segment_of(given.self(), given.integer(0)), static_cast<uid_t>(given.whole(1)),
                            static_cast<gid_t>(given.whole(2)), static_cast<mode_t>(given.integer(3))));
}

/// segmentLock(handle, locked)
napi_value segment_lock(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  return done_or_throw(
      env, sys::sysv_memory::lock(segment_of(given.self(), given.integer(0)), given.integer(1) != 0));
}

/// segmentLimits(Float64Array [segmentBytes, pages, segments, usedSegments, usedPages, residentPages,
/// swappedPages, pageBytes])
napi_value segment_limits(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::outcome<sys::sysv_memory::limits> limits = sys::sysv_memory::limits_now();
  if (!limits.ok()) return throw_failure(env, limits.why());
  const sys::sysv_memory::limits& now = limits.value();
  fill(env, given.raw(0),
       {now.segment_bytes, now.pages, now.segments, now.used_segments, now.used_pages, now.resident_pages,
        now.swapped_pages, static_cast<double>(::sysconf(_SC_PAGESIZE))});
  return nullptr;
}

}  // namespace

void define_sysv_memory(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "shmGet", shm_get);
  define(env, exports, self, "shmAttach", shm_attach);
  define(env, exports, self, "shmRemove", shm_remove);
  define(env, exports, self, "segmentStatus", segment_status);
  define(env, exports, self, "segmentSet", segment_set);
  define(env, exports, self, "segmentLock", segment_lock);
  define(env, exports, self, "segmentLimits", segment_limits);
}

}  // namespace ipckit::node
