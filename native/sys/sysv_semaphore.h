// A set of System V semaphores: semop(2), semctl(2). Waiting is a blocked system call, which does the
// operation itself: the kernel keeps its line of waiters, and what was done with SEM_UNDO it takes back when
// the process ends. It keeps that account by process, whichever thread did the operation.
#pragma once

#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "sys/coarse_timer.h"
#include "sys/deadline.h"
#include "sys/outcome.h"
#include "sys/stop_condition.h"

namespace ipckit::sys {

struct sysv_semaphore_limits {
  /// Sets in this namespace: SEMMNI.
  long sets = 0;
  /// Semaphores in a set: SEMMSL.
  long set_size = 0;
  /// Semaphores in all sets: SEMMNS.
  long semaphores = 0;
  /// Operations in one call: SEMOPM.
  long operations = 0;
  /// The largest value: SEMVMX.
  long value = 0;
  long used_sets = 0;
  long used_semaphores = 0;
};

class sysv_semaphore_set {
 public:
  sysv_semaphore_set() = default;

  /// semget(2): the id.
  static outcome<int> get(key_t key, int count, int flags);
  /// A handle on the set of that id. It remembers which set this is, as ids are used again.
  static outcome<sysv_semaphore_set> attach(int id);

  /// All of the operations or none, without waiting: 0, or the negative errno; EAGAIN when they would wait.
  int operate(const sembuf* operations, size_t count);
  /// All of the operations at once, as soon as they can be done: 0, or the negative errno; nothing was done
  /// then. -ETIMEDOUT when the deadline passed; without one it waits on.
  int wait(const sembuf* operations, size_t count, const deadline* until, const stop_condition& stop);
  /// Does the opposite of operations that were done, without waiting: 0, or the negative errno.
  int take_back(const sembuf* operations, size_t count);

  /// GETVAL, GETPID, GETNCNT and GETZCNT of semctl(2): the number, or the negative errno.
  int query(int semaphore, int command);
  int set_value(int semaphore, int value);
  /// GETALL: 0 or the negative errno. `values` has room for the whole set.
  int values(std::vector<unsigned short>& values);
  int set_values(std::vector<unsigned short>& values);

  /// 0, or -ESTALE when the id belongs to another set by now; see sysv_queue::check_identity.
  int check_identity();
  outcome<semid_ds> status() const;
  /// IPC_SET of semctl(2).
  outcome<nothing> set(uid_t owner, gid_t group, mode_t mode);
  outcome<nothing> remove();

  int id() const { return id_; }

 private:
  bool is_same_set(const semid_ds& now) const;

  int id_ = -1;
  bool identified_ = false;
  /// What this handle did itself; the set remembers it.
  bool has_operated_ = false;
  bool recycled_ = false;
  semid_ds identity_{};
  coarse_timer used_;
};

outcome<sysv_semaphore_limits> sysv_semaphore_limits_now();

}  // namespace ipckit::sys
