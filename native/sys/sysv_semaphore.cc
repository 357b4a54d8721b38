#include "sys/sysv_semaphore.h"

#include <cerrno>

namespace ipckit::sys {

namespace {

/// semctl(2)'s SEM_STAT_ANY (Linux 4.17) takes the kernel's slot of a set, which is the low bits of its id,
/// and asks for no read permission.
constexpr int stat_any = 20;
constexpr int slot_bits = 15;

/// See sysv_queue.cc: an id cannot come round again in this time.
constexpr int64_t tolerated_rest_ms = 250;

/// The fourth argument of semctl(2), which the caller is to define.
union argument {
  int value;
  semid_ds* status;
  unsigned short* values;
  seminfo* limits;
};

int control(int id, int semaphore, int command, argument with) {
  const int result = ::semctl(id, semaphore, command, with);
  return result < 0 ? -errno : result;
}

}  // namespace

outcome<int> sysv_semaphore_set::get(key_t key, int count, int flags) {
  const int id = ::semget(key, count, flags);
  if (id < 0) return last_failure("semget");
  return id;
}

outcome<sysv_semaphore_set> sysv_semaphore_set::attach(int id) {
  sysv_semaphore_set set;
  set.id_ = id;
  const outcome<semid_ds> status = set.status();
  if (status.ok()) {
    set.identity_ = status.value();
    set.identified_ = true;
  } else if (status.why().error != EACCES) {
    return status.why();
  }
  set.used_.start();
  return set;
}

outcome<semid_ds> sysv_semaphore_set::status() const {
  semid_ds status{};
  const int result = control(id_, 0, IPC_STAT, {.status = &status});
  if (result == 0) return status;
  // Who may only alter may not IPC_STAT. The slot is looked up without permission; the id that comes back
  // tells whether it was the right one.
  const int slot = id_ & ((1 << slot_bits) - 1);
  if (result == -EACCES && control(slot, 0, stat_any, {.status = &status}) == id_) return status;
  return failure{-result, "semctl"};
}

// The time of change moves with every SETVAL, SETALL and IPC_SET: it tells nothing. A new set was never
// operated on, so the time of the last operation never goes back; and the key leads to it. (Of two private
// sets of one creator and size, one made after the other was removed and four million more, and operated on
// since, nothing differs.)
bool sysv_semaphore_set::is_same_set(const semid_ds& now) const {
  const semid_ds& then = identity_;
  if (now.sem_perm.__key != then.sem_perm.__key || now.sem_nsems != then.sem_nsems) return false;
  if (now.sem_perm.cuid != then.sem_perm.cuid || now.sem_perm.cgid != then.sem_perm.cgid) return false;
  if (now.sem_otime < then.sem_otime || (has_operated_ && now.sem_otime == 0)) return false;
  return now.sem_ctime >= then.sem_ctime;
}

int sysv_semaphore_set::check_identity() {
  if (recycled_) return -ESTALE;
  const bool rested = used_.restart() > tolerated_rest_ms;
  if (!rested || !identified_) return 0;
  const outcome<semid_ds> found = status();
  if (!found.ok()) return 0;  // The call itself will say what is wrong, in its own words.
  recycled_ = !is_same_set(found.value());
  if (recycled_) return -ESTALE;
  identity_ = found.value();
  return 0;
}

int sysv_semaphore_set::operate(const sembuf* operations, size_t count) {
  if (const int stale = check_identity(); stale != 0) return stale;
  // One operation is by far the most frequent: no memory of its own.
  sembuf single{};
  std::vector<sembuf> several;
  sembuf* now = &single;
  if (count == 1) {
    single = *operations;
  } else {
    several.assign(operations, operations + count);
    now = several.data();
  }
  for (size_t index = 0; index < count; index++) now[index].sem_flg |= IPC_NOWAIT;
  while (::semop(id_, now, count) != 0) {
    if (errno != EINTR) return -errno;
  }
  has_operated_ = true;
  return 0;
}

int sysv_semaphore_set::wait(const sembuf* operations, size_t count, const deadline* until,
                             const stop_condition& stop) {
  if (const int stale = check_identity(); stale != 0) return stale;
  for (;;) {
    timespec left{};
    if (until != nullptr) left = until->remaining_timespec();
    const int result =
        ::semtimedop(id_, const_cast<sembuf*>(operations), count, until != nullptr ? &left : nullptr);
    if (result == 0) {
      has_operated_ = true;
      return 0;
    }
    if (errno == EAGAIN && until != nullptr) return -ETIMEDOUT;
    if (errno != EINTR) return -errno;
    if (stop.holds()) return -EINTR;
  }
}

int sysv_semaphore_set::take_back(const sembuf* operations, size_t count) {
  std::vector<sembuf> opposite;
  for (size_t index = count; index-- > 0;) {
    sembuf each = operations[index];
    // Waiting for zero has changed nothing.
    if (each.sem_op == 0) continue;
    each.sem_op = static_cast<short>(-each.sem_op);
    opposite.push_back(each);
  }
  return opposite.empty() ? 0 : operate(opposite.data(), opposite.size());
}

int sysv_semaphore_set::query(int semaphore, int command) {
  if (const int stale = check_identity(); stale != 0) return stale;
  return control(id_, semaphore, command, {});
}

int sysv_semaphore_set::set_value(int semaphore, int value) {
  if (const int stale = check_identity(); stale != 0) return stale;
  return control(id_, semaphore, SETVAL, {.value = value});
}

int sysv_semaphore_set::values(std::vector<unsigned short>& values) {
  if (const int stale = check_identity(); stale != 0) return stale;
  return control(id_, 0, GETALL, {.values = values.data()});
}

int sysv_semaphore_set::set_values(std::vector<unsigned short>& values) {
  if (const int stale = check_identity(); stale != 0) return stale;
  return control(id_, 0, SETALL, {.values = values.data()});
}

outcome<nothing> sysv_semaphore_set::set(uid_t owner, gid_t group, mode_t mode) {
  if (const int stale = check_identity(); stale != 0) return failure{-stale, "semctl"};
  semid_ds wanted{};
  wanted.sem_perm.uid = owner;
  wanted.sem_perm.gid = group;
  wanted.sem_perm.mode = static_cast<unsigned short>(mode);
  const int result = control(id_, 0, IPC_SET, {.status = &wanted});
  if (result < 0) return failure{-result, "semctl"};
  return nothing{};
}

outcome<nothing> sysv_semaphore_set::remove() {
  if (const int stale = check_identity(); stale != 0) return failure{-stale, "semctl"};
  const int result = control(id_, 0, IPC_RMID, {});
  if (result < 0) return failure{-result, "semctl"};
  return nothing{};
}

outcome<sysv_semaphore_limits> sysv_semaphore_limits_now() {
  seminfo limits{};
  if (const int result = control(0, 0, IPC_INFO, {.limits = &limits}); result < 0)
    return failure{-result, "semctl"};
  seminfo usage{};
  if (const int result = control(0, 0, SEM_INFO, {.limits = &usage}); result < 0)
    return failure{-result, "semctl"};
  sysv_semaphore_limits now;
  now.sets = limits.semmni;
  now.set_size = limits.semmsl;
  now.semaphores = limits.semmns;
  now.operations = limits.semopm;
  now.value = limits.semvmx;
  now.used_sets = usage.semusz;
  now.used_semaphores = usage.semaem;
  return now;
}

}  // namespace ipckit::sys
