// Handles are small integers, because a call with an integer costs a third of a method of a wrapped object
// (bench/README.md). A handle that was closed is never taken for another one: it carries a generation.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace ipckit::node {

template <class T>
class handle_table {
 public:
  int32_t add(T object) {
    uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].object = std::move(object);
    return handle_of(slot);
  }

  /// The object, or nullptr when the handle is closed or never was one.
  T* find(int32_t handle) {
    const uint32_t slot = static_cast<uint32_t>(handle) & slot_mask;
    if (slot >= slots_.size() || handle != handle_of(slot) || !slots_[slot].object) return nullptr;
    return &*slots_[slot].object;
  }

  bool remove(int32_t handle) {
    if (find(handle) == nullptr) return false;
    const uint32_t slot = static_cast<uint32_t>(handle) & slot_mask;
    slots_[slot].object.reset();
    slots_[slot].generation = (slots_[slot].generation + 1) & generation_mask;
    free_.push_back(slot);
    return true;
  }

 private:
  static constexpr int slot_bits = 18;
  static constexpr uint32_t slot_mask = (1U << slot_bits) - 1;
  static constexpr uint32_t generation_mask = (1U << (31 - slot_bits)) - 1;

  struct entry {
    std::optional<T> object;
    uint32_t generation = 0;
  };

  int32_t handle_of(uint32_t slot) const {
    return static_cast<int32_t>(slots_[slot].generation << slot_bits | slot);
  }

  std::vector<entry> slots_;
  std::vector<uint32_t> free_;
};

}  // namespace ipckit::node
