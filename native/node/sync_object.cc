#include "node/sync_object.h"

#include <cstddef>

namespace ipckit::node {

namespace {

class sync_source : public sys::futex_source {
 public:
  sync_source(ipckit_sync_t* object, const ipckit_wait_t& wait) : object_(object), wait_(wait) {}

  bool arm(sys::futex_word* word, int64_t* bound_ns) override {
    if (removed_) return false;
    ipckit_wait_word_t words[1];
    if (ipckit_sync_arm(object_, &wait_, words, bound_ns) != 1) return false;
    *word = {words[0].address, words[0].expected};
    return true;
  }
  void sweep() override {
    (void)ipckit_sync_sweep(object_);
    // Nobody wakes us for this.
    removed_ = ipckit_sync_is_unlinked(object_) == 1;
  }
  void disarm() override { (void)ipckit_sync_disarm(object_, &wait_); }

 private:
  ipckit_sync_t* object_;
  /// A copy: JavaScript tries with its own meanwhile.
  ipckit_wait_t wait_;
  bool removed_ = false;
};

}  // namespace

void sync_object::close() { (void)ipckit_sync_close(object_.release()); }

bool sync_object::was_removed() {
  return removed_.look([this] { return ipckit_sync_is_unlinked(get()) == 1; });
}

int32_t sync_object::begin(uint32_t operation, uint32_t count, uint64_t agent) {
  int32_t number = 0;
  if (free_.empty()) {
    number = static_cast<int32_t>(waits_.size());
    waits_.emplace_back();
  } else {
    number = free_.back();
    free_.pop_back();
  }
  auto& place = waits_[static_cast<size_t>(number)];
  place = std::make_unique<wait>();
  place->facts.operation = operation;
  place->facts.count = count;
  place->facts.agent = agent;
  place->result = ipckit_sync_begin(get(), &place->facts);
  return number;
}

sync_object::wait* sync_object::find(int32_t number) {
  if (number < 0 || static_cast<size_t>(number) >= waits_.size()) return nullptr;
  return waits_[static_cast<size_t>(number)].get();
}

void sync_object::drop(int32_t number) {
  if (find(number) == nullptr) return;
  waits_[static_cast<size_t>(number)].reset();
  free_.push_back(number);
}

std::unique_ptr<sys::futex_source> sync_object::source(const wait& waiting) const {
  return std::make_unique<sync_source>(get(), waiting.facts);
}

}  // namespace ipckit::node
