// POSIX shared memory and memfd_create(2), as lib/posix sees them. Opening and mapping are two steps, as
// TypeScript judges what was opened in between.
#include "sys/posix_memory.h"

#include "node/args.h"
#include "node/bindings.h"
#include "node/throw.h"

namespace ipckit::node {

namespace {

napi_value keep(napi_env env, environment& self, sys::outcome<sys::fd> made) {
  if (!made.ok()) return throw_failure(env, made.why());
  open_memory memory;
  memory.descriptor = std::move(made.value());
  return to_js(env, self.memories.add(std::move(memory)));
}

/// shmOpen(name, writable): handle
napi_value shm_open(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  return keep(env, given.self(), sys::posix_memory::open(given.text(0).c_str(), given.integer(1) != 0));
}

/// shmCreate(name, size, mode): handle
napi_value shm_create(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  return keep(env, given.self(),
              sys::posix_memory::create(given.text(0).c_str(), given.whole(1),
                                        static_cast<mode_t>(given.integer(2))));
}

/// memfdCreate(label, size): handle
napi_value memfd_create(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  return keep(env, given.self(), sys::posix_memory::make_anonymous(given.text(0).c_str(), given.whole(1)));
}

/// shmDuplicate(descriptor): handle
napi_value shm_duplicate(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return keep(env, given.self(), sys::posix_memory::duplicate(given.integer(0)));
}

/// shmUnlink(name)
napi_value shm_unlink(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return done_or_throw(env, sys::posix_memory::unlink(given.text(0).c_str()));
}

/// shmMap(handle, size, writable)
napi_value shm_map(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  open_memory* memory = given.self().memories.find(given.integer(0));
  if (memory == nullptr) return throw_failure(env, {EBADF, "mmap"});
  sys::outcome<std::unique_ptr<sys::mapping>> mapped = sys::mapping::of_file(
      memory->descriptor.get(), static_cast<size_t>(given.whole(1)), given.integer(2) != 0);
  if (!mapped.ok()) return throw_failure(env, mapped.why());
  memory->pages = std::move(mapped.value());
  return nullptr;
}

/// shmStatus(handle, Float64Array [size, uid, gid, mode with type, links, inode, writable descriptor, fd])
napi_value shm_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const open_memory* memory = given.self().memories.find(given.integer(0));
  if (memory == nullptr) return throw_failure(env, {EBADF, "fstat"});
  const sys::outcome<struct stat> status = sys::posix_memory::status(memory->descriptor);
  if (!status.ok()) return throw_failure(env, status.why());
  const struct stat& now = status.value();
  fill(env, given.raw(1),
       {static_cast<double>(now.st_size), static_cast<double>(now.st_uid), static_cast<double>(now.st_gid),
        static_cast<double>(now.st_mode), static_cast<double>(now.st_nlink), static_cast<double>(now.st_ino),
        sys::posix_memory::is_writable(memory->descriptor) ? 1.0 : 0.0,
        static_cast<double>(memory->descriptor.get())});
  return nullptr;
}

/// shmSet(handle, uid, gid, mode)
napi_value shm_set(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  const open_memory* memory = given.self().memories.find(given.integer(0));
  if (memory == nullptr) return throw_failure(env, {EBADF, "fchmod"});
  return done_or_throw(
      env, sys::posix_memory::set(memory->descriptor, static_cast<uid_t>(given.whole(1)),
                                  static_cast<gid_t>(given.whole(2)), static_cast<mode_t>(given.integer(3))));
}

/// shmAddSeals(handle, seals)
napi_value shm_add_seals(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const open_memory* memory = given.self().memories.find(given.integer(0));
  if (memory == nullptr) return throw_failure(env, {EBADF, "fcntl"});
  return done_or_throw(env, sys::posix_memory::add_seals(memory->descriptor, given.integer(1)));
}

/// shmSeals(handle): F_SEAL_* flags
napi_value shm_seals(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const open_memory* memory = given.self().memories.find(given.integer(0));
  if (memory == nullptr) return throw_failure(env, {EBADF, "fcntl"});
  const sys::outcome<int> seals = sys::posix_memory::seals(memory->descriptor);
  return seals.ok() ? to_js(env, seals.value()) : throw_failure(env, seals.why());
}

}  // namespace

void define_posix_memory(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "shmOpen", shm_open);
  define(env, exports, self, "shmCreate", shm_create);
  define(env, exports, self, "memfdCreate", memfd_create);
  define(env, exports, self, "shmDuplicate", shm_duplicate);
  define(env, exports, self, "shmUnlink", shm_unlink);
  define(env, exports, self, "shmMap", shm_map);
  define(env, exports, self, "shmStatus", shm_status);
  define(env, exports, self, "shmSet", shm_set);
  define(env, exports, self, "shmAddSeals", shm_add_seals);
  define(env, exports, self, "shmSeals", shm_seals);
}

}  // namespace ipckit::node
