// The arguments of one call from JavaScript. TypeScript has checked them; a wrong one reads as 0 or empty.
#pragma once

#include "node/environment.h"

#include <algorithm>
#include <climits>
#include <optional>
#include <span>
#include <string>

namespace ipckit::node {

template <size_t Count>
class arguments {
 public:
  arguments(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = Count;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, values_, nullptr, &data);
    self_ = static_cast<environment*>(data);
  }

  environment& self() const { return *self_; }

  int32_t integer(size_t at) const {
    int32_t value = 0;
    napi_get_value_int32(env_, values_[at], &value);
    return value;
  }

  double number(size_t at) const {
    double value = 0;
    napi_get_value_double(env_, values_[at], &value);
    return value;
  }

  /// A System V message type or a count: exact up to 2^53. What is too much for a long is the most it holds,
  /// and never LONG_MIN, of which kernels before 4.10 make nothing as a msgtyp.
  long whole(size_t at) const {
    const double value = number(at);
    // As a double LONG_MAX is one more where long has 64 bits.
    constexpr auto beyond = static_cast<double>(LONG_MAX);
    if (value >= beyond) return LONG_MAX;
    return value <= -beyond ? -LONG_MAX : static_cast<long>(value);
  }

  std::string text(size_t at) const { return Napi::String(env_, values_[at]).Utf8Value(); }

  std::span<char> bytes(size_t at) const {
    void* data = nullptr;
    size_t length = 0;
    napi_get_buffer_info(env_, values_[at], &data, &length);
    return {static_cast<char*>(data), length};
  }

  /// The first `length` bytes of a buffer; nothing when it has fewer, as a getter of the caller's may have
  /// taken the memory away since it was measured.
  std::optional<std::span<char>> bytes(size_t at, size_t length) const {
    const std::span<char> all = bytes(at);
    if (length > all.size()) return std::nullopt;
    return all.first(length);
  }

  napi_value raw(size_t at) const { return values_[at]; }

 private:
  napi_env env_;
  environment* self_ = nullptr;
  napi_value values_[Count == 0 ? 1 : Count]{};
};

inline napi_value to_js(napi_env env, int64_t value) {
  napi_value result = nullptr;
  napi_create_int64(env, value, &result);
  return result;
}

inline napi_value to_js(napi_env env, int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

/// The memory of a typed array whose elements are such numbers.
template <class T>
std::span<T> numbers_of(napi_env env, napi_value array) {
  void* data = nullptr;
  size_t length = 0;
  napi_get_typedarray_info(env, array, nullptr, &length, &data, nullptr, nullptr);
  return {static_cast<T*>(data), length};
}

/// Lays numbers into the Float64Array that the caller passed.
inline void fill(napi_env env, napi_value array, std::initializer_list<double> numbers) {
  const std::span<double> room = numbers_of<double>(env, array);
  std::copy_n(numbers.begin(), std::min(numbers.size(), room.size()), room.begin());
}

/// Messages of a batch, each four int32 of the Int32Array that the caller passed, from one of them on.
template <class Entry>
const Entry* entries_of(napi_env env, napi_value array, int32_t from) {
  static_assert(sizeof(Entry) == 4 * sizeof(int32_t));
  return reinterpret_cast<const Entry*>(numbers_of<int32_t>(env, array).data()) + from;
}

/// The body of the sendMany calls, whose arguments are (handle, bytes, index, from, count): passes each
/// message to `send`, which returns 0 or -errno, until one is refused.
template <class Send>
napi_value send_batch(napi_env env, const arguments<5>& given, Send send) {
  char* bytes = given.bytes(1).data();
  const auto* entries = entries_of<message_entry>(env, given.raw(2), given.integer(3));
  const int32_t count = given.integer(4);
  for (int32_t sent = 0; sent < count; sent++) {
    const int result = send(bytes + entries[sent].offset, entries[sent]);
    if (result != 0) return to_js(env, sent > 0 ? sent : result);
  }
  return to_js(env, count);
}

/// Makes a function of the addon known.
inline void define(Napi::Env env, Napi::Object exports, environment& self, const char* name,
                   napi_callback call) {
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, call, &self, &function) != napi_ok) return;
  napi_set_named_property(env, exports, name, function);
}

}  // namespace ipckit::node
