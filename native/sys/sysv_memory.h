// System V shared memory: sysvipc(7). Segments are attached by mapping.h. Whoever is attached to a segment
// keeps it, also when it was removed, so that its id means no other segment meanwhile.
#pragma once

#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/types.h>

#include <cstddef>

#include "sys/outcome.h"

namespace ipckit::sys::sysv_memory {

struct limits {
  /// Largest segment, bytes: kernel.shmmax.
  double segment_bytes = 0;
  /// All segments together, pages: kernel.shmall.
  double pages = 0;
  /// Segments in this namespace: kernel.shmmni.
  double segments = 0;
  double used_segments = 0;
  /// Of all segments, as they were asked for; in memory; and in swap.
  double used_pages = 0;
  double resident_pages = 0;
  double swapped_pages = 0;
};

/// shmget(2): the id.
outcome<int> get(key_t key, size_t size, int flags);
outcome<shmid_ds> status(int id);
outcome<nothing> set(int id, uid_t owner, gid_t group, mode_t mode);
outcome<nothing> remove(int id);
/// SHM_LOCK and SHM_UNLOCK: whether its pages stay in memory.
outcome<nothing> lock(int id, bool locked);
/// IPC_INFO and SHM_INFO.
outcome<limits> limits_now();

}  // namespace ipckit::sys::sysv_memory
