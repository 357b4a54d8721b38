// The file of an object in shared memory: its name, its making, and the checks before anybody opens it. An
// object is made without a name, filled, and given its name last, so nobody ever meets half of one; a file is
// opened only after everything about it was checked, in the order of the error codes of <ipckit/error.h>.
#ifndef IPCKIT_SHARED_FILE_H
#define IPCKIT_SHARED_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "guard.h"
#include "ipckit/error.h"
#include "ipckit/layout.h"
#include "participants.h"

#define RING_NAME_LIMIT 200
// A file in the middle of being renamed has two names, or none, for a moment.
#define RING_OPEN_ATTEMPTS 20

typedef struct ring_path {
  char directory[PATH_MAX];
  char file[PATH_MAX + RING_NAME_LIMIT + 16];
} ring_path;

// A file that is being made. `temporary` is empty where the file system can do without a name.
typedef struct ring_draft {
  int fd;
  char temporary[sizeof((ring_path*)0)->file + 32];
} ring_draft;

// What an opener accepts.
typedef struct ring_trust {
  bool any_owner, any_mode;
} ring_trust;

// Where a section of so many bytes begins that comes after all before `at`, which moves to its end.
static inline uint64_t ring_section(uint64_t* at, uint64_t bytes, uint64_t alignment) {
  const uint64_t start = (*at + alignment - 1) & ~(alignment - 1);
  *at = start + bytes;
  return start;
}

int ring_path_make(ring_path* path, const char* name, const char* directory);
int ring_path_unlink(const char* name, const char* directory);

int ring_draft_begin(ring_draft* draft, const ring_path* path);
// Mode, whatever the umask, and every page at once: tmpfs would kill who touches a page that is not there.
int ring_draft_reserve(const ring_draft* draft, uint32_t mode, uint64_t bytes);
// Commit point of a creation: gives it its name.
int ring_draft_publish(const ring_draft* draft, const ring_path* path);
// After a failure: a name of its own does not stay. Leaves the descriptor, which is the handle's.
void ring_draft_forget(const ring_draft* draft);

// Opens what has that name and hands the descriptor over, again while the answer is -ENOENT: it was unlinked
// between the opening and the look at it, and there may be a new one.
int ring_file_open(const ring_path* path, int (*found)(int fd, void* context), void* context);
// Kind, owner, mode and names of a file. 0 or why it is refused; `refusal` is filled as far as was looked.
int ring_file_check(int fd, ring_trust trust, uint64_t least_bytes, ipckit_refusal_t* refusal);
// Reads without mapping: a file that is cut short here is an error and no signal.
int ring_file_read(int fd, void* bytes, size_t size, off_t at);
// Sets device and inode of a handle whose descriptor is set.
void ring_file_know(ring_people* people);
// 1 when the name is gone.
int ring_file_is_unlinked(const ring_people* people);

// Maps `bytes` of the file of `people`, guarded, and not in forked children.
int ring_map(ring_mapped* map, const ring_people* people, size_t bytes);
void ring_unmap(ring_mapped* map);

#endif
