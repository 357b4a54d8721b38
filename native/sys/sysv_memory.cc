#include "sys/sysv_memory.h"

namespace ipckit::sys::sysv_memory {

namespace {

outcome<nothing> control(int id, int command, shmid_ds* buffer) {
  if (::shmctl(id, command, buffer) < 0) return last_failure("shmctl");
  return nothing{};
}

}  // namespace

outcome<int> get(key_t key, size_t size, int flags) {
  const int id = ::shmget(key, size, flags);
  if (id < 0) return last_failure("shmget");
  return id;
}

outcome<shmid_ds> status(int id) {
  shmid_ds now{};
  const outcome<nothing> asked = control(id, IPC_STAT, &now);
  if (!asked.ok()) return asked.why();
  return now;
}

outcome<nothing> set(int id, uid_t owner, gid_t group, mode_t mode) {
  shmid_ds wanted{};
  wanted.shm_perm.uid = owner;
  wanted.shm_perm.gid = group;
  wanted.shm_perm.mode = static_cast<unsigned short>(mode);
  return control(id, IPC_SET, &wanted);
}

outcome<nothing> remove(int id) { return control(id, IPC_RMID, nullptr); }

outcome<nothing> lock(int id, bool locked) { return control(id, locked ? SHM_LOCK : SHM_UNLOCK, nullptr); }

outcome<limits> limits_now() {
  shminfo bounds{};
  shm_info usage{};
  // The kernel writes other structures than the declared one for these two commands.
  outcome<nothing> asked = control(0, IPC_INFO, reinterpret_cast<shmid_ds*>(&bounds));
  if (asked.ok()) asked = control(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&usage));
  if (!asked.ok()) return asked.why();
  limits now;
  now.segment_bytes = static_cast<double>(bounds.shmmax);
  now.pages = static_cast<double>(bounds.shmall);
  now.segments = static_cast<double>(bounds.shmmni);
  now.used_segments = usage.used_ids;
  now.used_pages = static_cast<double>(usage.shm_tot);
  now.resident_pages = static_cast<double>(usage.shm_rss);
  now.swapped_pages = static_cast<double>(usage.shm_swp);
  return now;
}

}  // namespace ipckit::sys::sysv_memory
