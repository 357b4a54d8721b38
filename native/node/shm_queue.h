// A queue in shared memory as this environment has it open: the handle of the C library, and the tokens of
// the deliveries that JavaScript holds, which it knows by small numbers.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "ipckit/queue.h"
#include "sys/futex_waits.h"
#include "sys/removal_look.h"

namespace ipckit::node {

class shm_queue {
 public:
  explicit shm_queue(ipckit_queue_t* queue) : queue_(queue) {}

  ipckit_queue_t* get() const { return queue_.get(); }

  /// Whether the name is gone, as far as was looked: a few times a second at most.
  bool was_removed();
  /// Says so when the result is that the call would have to wait, and the queue was removed.
  int64_t or_removed(int64_t result) { return result == -EAGAIN && was_removed() ? -EIDRM : result; }

  /// The number by which JavaScript knows a delivery.
  int32_t keep(const ipckit_token_t& token);
  /// nullptr when there is no such number.
  const ipckit_token_t* token(int32_t number) const;
  void drop(int32_t number) { free_.push_back(number); }

  /// What a waiting thread needs to wait for one of IPCKIT_WAIT_*; `length` is that of the message for which
  /// space is wanted.
  std::unique_ptr<sys::futex_source> source(uint32_t interest, uint64_t length) const;

 private:
  struct closer {
    void operator()(ipckit_queue_t* queue) const { ipckit_queue_close(queue); }
  };

  std::unique_ptr<ipckit_queue_t, closer> queue_;
  sys::removal_look removed_ = sys::removal_look::after_a_while();
  std::vector<ipckit_token_t> tokens_;
  std::vector<int32_t> free_;
};

}  // namespace ipckit::node
