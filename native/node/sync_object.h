// A lock, semaphore, condition, event, barrier or value in shared memory as this environment has it open: the
// handle of the C library, and the waits that JavaScript has begun, which it knows by small numbers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ipckit/sync.h"
#include "sys/futex_waits.h"
#include "sys/removal_look.h"

namespace ipckit::node {

class sync_object {
 public:
  explicit sync_object(ipckit_sync_t* object) : object_(object) {}

  ipckit_sync_t* get() const { return object_.get(); }

  /// Gives back what the handle holds. An object that goes without this leaves as the dead do: whoever holds
  /// something when its environment ends, as a worker that is terminated, has not come to the end of its
  /// work.
  void close();

  /// Whether the name is gone, as far as was looked: a few times a second at most.
  bool was_removed();

  /// A wait that has begun, and what the library said of it when it did.
  struct wait {
    ipckit_wait_t facts{};
    int result = 0;
  };
  /// Begins a wait: its number.
  int32_t begin(uint32_t operation, uint32_t count, uint64_t agent);
  /// nullptr when there is no such number.
  wait* find(int32_t number);
  /// The number may be used again.
  void drop(int32_t number);

  /// The dead holder of which the library told last.
  struct death {
    uint32_t pid = 0;
    std::string name;
  };
  const death& last_death() const { return death_; }
  void remember_death(const ipckit_wait_t& facts) { death_ = {facts.dead_pid, facts.dead_name}; }

  /// What a waiting thread needs to wait for this one.
  std::unique_ptr<sys::futex_source> source(const wait& waiting) const;

 private:
  struct abandoner {
    void operator()(ipckit_sync_t* object) const { (void)ipckit_sync_abandon(object); }
  };

  std::unique_ptr<ipckit_sync_t, abandoner> object_;
  sys::removal_look removed_ = sys::removal_look::after_a_while();
  /// Each where it is, as the library may remember where it lies.
  std::vector<std::unique_ptr<wait>> waits_;
  std::vector<int32_t> free_;
  death death_;
};

}  // namespace ipckit::node
