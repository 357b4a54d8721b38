// Atomic operations on words that other processes use too: sequentially consistent, and free of locks, as a
// lock of the C++ library would be one of this process alone.
#pragma once

#include <atomic>

namespace ipckit::sys {

/// In the order of lib/mapping/atomic.ts.
enum class atomic_operation { load, store, add, exchange, compare_exchange };

/// Returns what was there before.
template <class T>
T operate(void* at, atomic_operation operation, T operand, T expected) {
  static_assert(std::atomic_ref<T>::is_always_lock_free);
  const std::atomic_ref<T> word(*static_cast<T*>(at));
  switch (operation) {
    case atomic_operation::store:
      word.store(operand);
      return operand;
    case atomic_operation::add:
      return word.fetch_add(operand);
    case atomic_operation::exchange:
      return word.exchange(operand);
    case atomic_operation::compare_exchange:
      word.compare_exchange_strong(expected, operand);
      return expected;
    case atomic_operation::load:
      break;
  }
  return word.load();
}

}  // namespace ipckit::sys
