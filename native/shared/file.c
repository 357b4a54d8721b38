// Names, creating and checking. See file.h.
#include "file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "identity.h"
#include "word.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

int ring_path_make(ring_path* path, const char* name, const char* directory) {
  if (name == NULL) return -EFAULT;
  if (name[0] == '/') name++;
  size_t length = strlen(name);
  if (length == 0 || strchr(name, '/') != NULL) return -EINVAL;
  if (length > RING_NAME_LIMIT) return -ENAMETOOLONG;
  if (directory == NULL) directory = "/dev/shm";
  if (strlen(directory) >= sizeof path->directory) return -ENAMETOOLONG;
  snprintf(path->directory, sizeof path->directory, "%s", directory);
  snprintf(path->file, sizeof path->file, "%s/ipckit.%s", directory, name);
  // A program that runs with more rights than its caller has must not be led to files by it.
  return getauxval(AT_SECURE) ? -EPERM : 0;
}

int ring_path_unlink(const char* name, const char* directory) {
  ring_path path;
  int result = ring_path_make(&path, name, directory);
  if (result < 0) return result;
  return unlink(path.file) < 0 ? -errno : 0;
}

int ring_draft_begin(ring_draft* draft, const ring_path* path) {
  // A file without a name, where the file system can, or else one with a name of its own.
  draft->temporary[0] = 0;
  draft->fd = open(path->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (draft->fd >= 0 && access("/proc/self/fd", X_OK) == 0) return 0;
  if (draft->fd >= 0)
    close(draft->fd);
  else if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
    return -errno;
  uint64_t random;
  int result = ring_random(&random, sizeof random);
  if (result < 0) return result;
  snprintf(draft->temporary, sizeof draft->temporary, "%s.%016llx.new", path->file,
           (unsigned long long)random);
  draft->fd = open(draft->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  return draft->fd < 0 ? -errno : 0;
}

int ring_draft_reserve(const ring_draft* draft, uint32_t mode, uint64_t bytes) {
  if (fchmod(draft->fd, mode & 0777) < 0) return -errno;
  int result;
  do result = posix_fallocate(draft->fd, 0, (off_t)bytes);
  while (result == EINTR);
  return -result;
}

int ring_draft_publish(const ring_draft* draft, const ring_path* path) {
  if (draft->temporary[0]) {
    long renamed = syscall(SYS_renameat2, AT_FDCWD, draft->temporary, AT_FDCWD, path->file, RENAME_NOREPLACE);
    return renamed < 0 ? -errno : 0;
  }
  char from[64];
  snprintf(from, sizeof from, "/proc/self/fd/%d", draft->fd);
  return linkat(AT_FDCWD, from, AT_FDCWD, path->file, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

void ring_draft_forget(const ring_draft* draft) {
  if (draft->temporary[0]) unlink(draft->temporary);
}

int ring_file_open(const ring_path* path, int (*found)(int fd, void* context), void* context) {
  int result = -ENOENT;
  for (int attempt = 0; attempt < RING_OPEN_ATTEMPTS; attempt++) {
    // O_NONBLOCK, or a FIFO of that name would keep us for ever.
    int fd = open(path->file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR) continue;
      return errno == ELOOP || errno == ENXIO || errno == EISDIR ? IPCKIT_E_NOT_REGULAR : -errno;
    }
    result = found(fd, context);
    if (result != -ENOENT) break;
  }
  return result;
}

int ring_file_check(int fd, ring_trust trust, uint64_t least_bytes, ipckit_refusal_t* refusal) {
  struct stat file;
  if (fstat(fd, &file) < 0) return -errno;
  refusal->owner = file.st_uid;
  refusal->mode = file.st_mode & 07777;
  refusal->links = (uint32_t)file.st_nlink;
  refusal->size_bytes = (uint64_t)file.st_size;
  if (!S_ISREG(file.st_mode)) return IPCKIT_E_NOT_REGULAR;
  if (!trust.any_owner && file.st_uid != geteuid() && file.st_uid != 0) return IPCKIT_E_OWNER;
  if (!trust.any_mode && (file.st_mode & S_IWOTH)) return IPCKIT_E_MODE;
  if (file.st_nlink == 0) return -ENOENT;
  if (file.st_nlink != 1) return IPCKIT_E_LINKS;
  return refusal->size_bytes < least_bytes ? IPCKIT_E_NOT_A_QUEUE : 0;
}

int ring_file_read(int fd, void* bytes, size_t size, off_t at) {
  ssize_t got;
  do got = pread(fd, bytes, size, at);
  while (got < 0 && errno == EINTR);
  if (got == (ssize_t)size) return 0;
  return got < 0 ? -errno : IPCKIT_E_SIZE;
}

void ring_file_know(ring_people* people) {
  struct stat file;
  people->slot = IPCKIT_LAYOUT_NONE;
  if (fstat(people->fd, &file) < 0) return;
  people->device = (uint64_t)file.st_dev;
  people->inode = (uint64_t)file.st_ino;
}

int ring_file_is_unlinked(const ring_people* people) {
  if (ring_people_forked(people)) return IPCKIT_E_FORKED;
  struct stat file;
  if (fstat(people->fd, &file) < 0) return -errno;
  return file.st_nlink == 0;
}

int ring_map(ring_mapped* map, const ring_people* people, size_t bytes) {
  void* start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, people->fd, 0);
  if (start == MAP_FAILED) return -errno;
  // A mapping keeps the open file description, and with it our lock: a child that had it would keep us alive
  // for ever.
  if (madvise(start, bytes, MADV_DONTFORK) < 0) {
    int failed = -errno;
    munmap(start, bytes);
    return failed;
  }
  *map = (ring_mapped){.start = start, .bytes = bytes, .people = people};
  ring_guard_add(map);
  return 0;
}

void ring_unmap(ring_mapped* map) {
  if (map->start == NULL) return;
  ring_guard_remove(map);
  // In a forked child the mapping does not exist, and something else may lie there.
  if (map->people->stamp == 0 || !ring_people_forked(map->people)) munmap(map->start, map->bytes);
}
