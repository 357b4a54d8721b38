// Memory that is mapped, of any kind, as lib/mapping sees it. TypeScript has checked that what is asked for
// lies inside and, where it matters, is aligned.
#include <cstring>

#include "node/args.h"
#include "node/bindings.h"
#include "node/throw.h"
#include "sys/shared_atomic.h"

namespace ipckit::node {

namespace {

sys::mapping* pages_of(environment& self, int32_t handle) {
  const open_memory* memory = self.memories.find(handle);
  return memory == nullptr ? nullptr : memory->pages.get();
}

/// Whether so many bytes lie there. TypeScript has looked before; a wrong number must not become a wild
/// access.
bool is_inside(const sys::mapping& pages, double offset, size_t length) {
  return offset >= 0 && offset + static_cast<double>(length) <= static_cast<double>(pages.size());
}

/// Runs when the last view of an ArrayBuffer has gone, or with the environment.
void release(napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<sys::mapping>*>(hint); }

/// mapSize(handle): bytes
napi_value map_size(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::mapping* pages = pages_of(given.self(), given.integer(0));
  if (pages == nullptr) return throw_failure(env, {EBADF, "mmap"});
  return to_js(env, static_cast<int64_t>(pages->size()));
}

/// mapBuffer(handle): an ArrayBuffer over the memory; undefined where this runtime forbids that
napi_value map_buffer(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const open_memory* memory = given.self().memories.find(given.integer(0));
  if (memory == nullptr || !memory->pages) return throw_failure(env, {EBADF, "mmap"});
  auto* hold = new std::shared_ptr<sys::mapping>(memory->pages);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(env, memory->pages->data(),
                                                              memory->pages->size(), release, hold, &buffer);
  // After other failures Node may have called `release` already.
  if (status == napi_no_external_buffers_allowed) delete hold;
  return status == napi_ok ? buffer : nullptr;
}

/// mapRead(handle, offset, target): 0, or -errno; -EFAULT when the memory was lost
napi_value map_read(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  const sys::mapping* pages = pages_of(given.self(), given.integer(0));
  if (pages == nullptr) return to_js(env, -EBADF);
  const std::span<char> target = given.bytes(2);
  if (!is_inside(*pages, given.number(1), target.size())) return to_js(env, -ERANGE);
  if (!target.empty()) std::memmove(target.data(), pages->data() + given.whole(1), target.size());
  return to_js(env, pages->lost() ? -EFAULT : 0);
}

/// mapWrite(handle, offset, source): likewise
napi_value map_write(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  const sys::mapping* pages = pages_of(given.self(), given.integer(0));
  if (pages == nullptr) return to_js(env, -EBADF);
  if (!pages->writable()) return to_js(env, -EACCES);
  const std::span<char> source = given.bytes(2);
  if (!is_inside(*pages, given.number(1), source.size())) return to_js(env, -ERANGE);
  if (!source.empty()) std::memmove(pages->data() + given.whole(1), source.data(), source.size());
  return to_js(env, pages->lost() ? -EFAULT : 0);
}

/// mapLost(handle): 1 when somebody truncated it
napi_value map_lost(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::mapping* pages = pages_of(given.self(), given.integer(0));
  return to_js(env, pages != nullptr && pages->lost() ? 1 : 0);
}

bool get_operand(napi_env env, napi_value value, uint32_t& into) {
  return napi_get_value_uint32(env, value, &into) == napi_ok;
}

bool get_operand(napi_env env, napi_value value, uint64_t& into) {
  bool lossless = false;
  return napi_get_value_bigint_uint64(env, value, &into, &lossless) == napi_ok;
}

napi_value make_operand(napi_env env, uint32_t value) {
  napi_value made = nullptr;
  napi_create_uint32(env, value, &made);
  return made;
}

napi_value make_operand(napi_env env, uint64_t value) {
  napi_value made = nullptr;
  napi_create_bigint_uint64(env, value, &made);
  return made;
}

/// mapAtomic32 and mapAtomic64(handle, operation, offset, operand, expected): what was there before. Numbers,
/// or bigints, without sign.
template <class T>
napi_value map_atomic(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  const sys::mapping* pages = pages_of(given.self(), given.integer(0));
  if (pages == nullptr) return throw_failure(env, {EBADF, "mmap"});
  const auto operation = static_cast<sys::atomic_operation>(given.integer(1));
  if (operation != sys::atomic_operation::load && !pages->writable()) {
    return throw_failure(env, {EACCES, "mmap"});
  }
  T operand{};
  T expected{};
  const bool got = get_operand(env, given.raw(3), operand) && get_operand(env, given.raw(4), expected);
  const double offset = given.number(2);
  if (!got || !is_inside(*pages, offset, sizeof(T)) || static_cast<size_t>(offset) % sizeof(T) != 0) {
    return throw_failure(env, {EINVAL, "mmap"});
  }
  const T before = sys::operate<T>(pages->data() + static_cast<size_t>(offset), operation, operand, expected);
  if (pages->lost()) return throw_failure(env, {EFAULT, "mmap"});
  return make_operand(env, before);
}

/// mapClose(handle, keepViews): gives up the handle. Views that JavaScript still has show zeros from now on,
/// or, when the handle was only forgotten, what they show until they go.
napi_value map_close(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  open_memory* memory = given.self().memories.find(given.integer(0));
  if (memory == nullptr) return nullptr;
  const bool has_views = memory->pages.use_count() > 1;
  if (has_views && given.integer(1) == 0) memory->pages->retire();
  given.self().memories.remove(given.integer(0));
  return nullptr;
}

}  // namespace

void define_mapping(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "mapSize", map_size);
  define(env, exports, self, "mapBuffer", map_buffer);
  define(env, exports, self, "mapRead", map_read);
  define(env, exports, self, "mapWrite", map_write);
  define(env, exports, self, "mapLost", map_lost);
  define(env, exports, self, "mapAtomic32", map_atomic<uint32_t>);
  define(env, exports, self, "mapAtomic64", map_atomic<uint64_t>);
  define(env, exports, self, "mapClose", map_close);
}

}  // namespace ipckit::node
