// POSIX shared memory, shm_overview(7), and memfd_create(2): files in memory, which are mapped by mapping.h.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>

#include "sys/fd.h"
#include "sys/outcome.h"

namespace ipckit::sys::posix_memory {

/// Opens what lies under that name: shm_open(3). It never waits, whatever somebody put there, and follows no
/// link; the caller looks at its status before anything else.
outcome<fd> open(const char* name, bool writable);

/// Makes a memory of that size, all of it reserved, and gives it the name only when it is complete: nobody
/// opens it half made, and a full file system says ENOSPC here. EEXIST when the name is taken.
outcome<fd> create(const char* name, int64_t size, mode_t mode);

outcome<nothing> unlink(const char* name);

/// A memory without a name, of that size and reserved, which may be sealed: memfd_create(2).
outcome<fd> make_anonymous(const char* label, int64_t size);

/// A descriptor of our own on the same memory.
outcome<fd> duplicate(int descriptor);

outcome<struct stat> status(const fd& memory);
/// Owner, group and mode: fchown(2), fchmod(2).
outcome<nothing> set(const fd& memory, uid_t owner, gid_t group, mode_t mode);

/// F_ADD_SEALS and F_GET_SEALS of fcntl(2).
outcome<nothing> add_seals(const fd& memory, int seals);
outcome<int> seals(const fd& memory);

/// Whether the descriptor can be written through.
bool is_writable(const fd& memory);

}  // namespace ipckit::sys::posix_memory
