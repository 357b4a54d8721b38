// FIFOs by name: fifo(7). Opening never blocks, never follows a link, and never takes what is not a FIFO for
// one: whoever may write to the folder can put anything there.
#pragma once

#include <sys/types.h>

#include "sys/fd.h"
#include "sys/outcome.h"

namespace ipckit::sys {

/// Whose FIFO it may be.
struct fifo_owner {
  /// Anybody's.
  bool any = false;
  /// This user's alone; without it the caller's own or root's.
  bool is_given = false;
  uid_t uid = 0;

  /// Of one number: -1 the caller's own or root's, -2 anybody's, or a user's.
  static fifo_owner of(double number) {
    return {number == -2, number >= 0, number >= 0 ? static_cast<uid_t>(number) : 0};
  }
};

/// What a FIFO is, however it is named.
struct fifo_status {
  dev_t device = 0;
  ino_t inode = 0;
  uid_t owner = 0;
  gid_t group = 0;
  mode_t mode = 0;
  /// False once the name is gone: those who have it open go on.
  bool linked = true;
};

/// open(2) with `access` (O_RDONLY, O_WRONLY, O_RDWR or O_PATH), non-blocking and close-on-exec. Fails with
/// ENXIO when it is opened for writing alone and nobody has it open for reading; with ELOOP for a symbolic
/// link, with ENOTSUP for what is no FIFO, with EPERM for a FIFO of somebody else.
outcome<fd> open_fifo(const char* path, int access, fifo_owner owner);

/// mkfifo(3), and opens it as open_fifo() does, with O_RDWR. The mode is exact, whatever the umask.
outcome<fd> make_fifo(const char* path, mode_t mode);

/// Another open file description of the FIFO that has this descriptor, with `access`; EIDRM when the path
/// leads to something else by now.
outcome<fd> reopen_fifo(int descriptor, const char* path, int access);

outcome<fifo_status> status_of_fifo(int descriptor);

/// unlink(2), when the name still leads to this very FIFO; EIDRM when it leads elsewhere.
outcome<nothing> remove_fifo(const char* path, int descriptor);

}  // namespace ipckit::sys
