#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "fifo_records.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/// Bytes of the FIFO that stand for locks.
enum { reading_byte, writing_byte, open_byte };

static uint32_t check_of(size_t length) { return ((uint32_t)length ^ 0x4b435049u) * 0x9e3779b1u; }

size_t fifo_record_bytes(size_t length) { return (length + fifo_record_overhead + 7) & ~(size_t)7; }

// The numbers are little-endian, as this machine's are: x86-64 and ARM64.
static uint32_t number_at(const char* at) {
  uint32_t number;
  memcpy(&number, at, sizeof number);
  return number;
}

/// Waits for a lock, as others hold it only for a few system calls.
static int lock(int fifo, off_t byte, short type) {
  struct flock wanted = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  while (fcntl(fifo, F_OFD_SETLKW, &wanted) != 0) {
    if (errno != EINTR) return -errno;
  }
  return 0;
}

static void unlock(int fifo, off_t byte) {
  struct flock wanted = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  fcntl(fifo, F_OFD_SETLK, &wanted);
}

static int wait_for(int fifo, short events) {
  struct pollfd polled = {fifo, events, 0};
  return poll(&polled, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

static size_t unread(int fifo) {
  int bytes = 0;
  return ioctl(fifo, FIONREAD, &bytes) == 0 ? (size_t)bytes : 0;
}

int fifo_open(const char* path) {
  const int fifo = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
  if (fifo < 0) return -errno;
  struct stat file;
  int error = fstat(fifo, &file) != 0 ? -errno : S_ISFIFO(file.st_mode) ? 0 : -ENOTSUP;
  if (error == 0) error = lock(fifo, open_byte, F_RDLCK);
  if (error == 0) return fifo;
  close(fifo);
  return error;
}

/// Whether one write of so many bytes surely has room: two pages that follow each other hold more than one
/// page.
static int has_room(int fifo, size_t total, size_t capacity) {
  const size_t bytes = unread(fifo);
  if (bytes == 0) return 1;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  const size_t used = (bytes - 1) / (page + 1) * 2 + 2;
  return used + (total + page - 1) / page <= capacity / page;
}

int fifo_put(int fifo, const void* bytes, size_t length) {
  const size_t total = fifo_record_bytes(length);
  const int capacity = fcntl(fifo, F_GETPIPE_SZ);
  if (capacity < 0) return -errno;
  if (length > UINT32_MAX || total > (size_t)capacity) return -EMSGSIZE;
  const int is_atomic = total <= PIPE_BUF;
  const uint32_t header[2] = {(uint32_t)length, check_of(length)};
  const uint32_t end[3] = {~header[1], 0, 0};
  const struct iovec pieces[3] = {{(void*)header, fifo_record_header},
                                  {(void*)bytes, length},
                                  {(void*)end, total - fifo_record_header - length}};
  for (;;) {
    int error = lock(fifo, writing_byte, is_atomic ? F_RDLCK : F_WRLCK);
    if (error != 0) return error;
    const int may_fit = is_atomic || has_room(fifo, total, (size_t)capacity);
    const ssize_t written = may_fit ? writev(fifo, pieces, 3) : -1;
    error = written >= 0 ? 0 : may_fit ? errno : EAGAIN;
    unlock(fifo, writing_byte);
    if (written == (ssize_t)total) return 0;
    if (written >= 0) return -EIO;
    if (error != EAGAIN && error != EINTR) return -error;
    if (!may_fit) {
      // There is room, but not enough: poll(2) would return at once.
      const struct timespec nap = {0, 1000000};
      nanosleep(&nap, NULL);
    } else if ((error = wait_for(fifo, POLLOUT)) != 0) {
      return error;
    }
  }
}

/// Copies up to `size` bytes from the head of the FIFO and leaves them there: how many, or the negative
/// errno.
static ssize_t look(int fifo, char* view, size_t size) {
  int hole[2];
  if (pipe2(hole, O_CLOEXEC | O_NONBLOCK) != 0) return -errno;
  if (size > 65536) fcntl(hole[1], F_SETPIPE_SZ, (int)size);
  ssize_t copied = tee(fifo, hole[1], size, SPLICE_F_NONBLOCK);
  if (copied < 0) copied = errno == EAGAIN || errno == EINTR ? 0 : -errno;
  for (ssize_t done = 0; done < copied;) {
    const ssize_t length = read(hole[0], view + done, (size_t)(copied - done));
    if (length <= 0) break;
    done += length;
  }
  close(hole[0]);
  close(hole[1]);
  return copied;
}

enum shape { whole, unfinished, wrong };

static enum shape shape_of(const char* view, size_t size, size_t capacity, size_t* total) {
  *total = fifo_record_header;
  if (size < fifo_record_header) return unfinished;
  const size_t length = number_at(view);
  *total = fifo_record_bytes(length);
  if (number_at(view + 4) != check_of(length) || *total > capacity) return wrong;
  if (*total > size) return unfinished;
  return number_at(view + fifo_record_header + length) == ~check_of(length) ? whole : wrong;
}

static int is_being_written(int fifo) {
  struct flock wanted = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = writing_byte, .l_len = 1};
  return fcntl(fifo, F_OFD_GETLK, &wanted) == 0 && wanted.l_type == F_WRLCK;
}

/// With the lock held: the length of the message; EAGAIN when there is none yet.
static ssize_t take(int fifo, char* view, size_t capacity, char* bytes, size_t room) {
  size_t total = 0;
  for (int is_certain = 0; is_certain < 2; is_certain++) {
    const ssize_t seen = look(fifo, view, capacity);
    if (seen <= 0) return seen < 0 ? seen : -EAGAIN;
    const enum shape found = shape_of(view, (size_t)seen, capacity, &total);
    if (found == whole) {
      const size_t length = number_at(view);
      if (length > room) return -EMSGSIZE;
      if (read(fifo, view, total) != (ssize_t)total) return -EIO;
      memcpy(bytes, view + fifo_record_header, length);
      return (ssize_t)length;
    }
    if (found == unfinished && is_being_written(fifo)) return -EBUSY;
    if (is_certain == 0) continue;
    // Nobody finishes it any more: on to the next that looks like one.
    size_t torn = 1;
    while (torn < (size_t)seen && (torn + fifo_record_header > (size_t)seen ||
                                   shape_of(view + torn, (size_t)seen - torn, capacity, &total) == wrong)) {
      torn++;
    }
    return read(fifo, view, torn) < 0 ? -errno : -EBADMSG;
  }
  return -EAGAIN;
}

ssize_t fifo_get(int fifo, void* bytes, size_t size) {
  const int capacity = fcntl(fifo, F_GETPIPE_SZ);
  if (capacity < 0) return -errno;
  char* view = malloc((size_t)capacity);
  if (view == NULL) return -ENOMEM;
  for (;;) {
    ssize_t length = lock(fifo, reading_byte, F_WRLCK);
    if (length == 0) {
      length = take(fifo, view, (size_t)capacity, bytes, size);
      unlock(fifo, reading_byte);
    }
    if (length == -EAGAIN) length = wait_for(fifo, POLLIN) == 0 ? -EAGAIN : -errno;
    if (length == -EBUSY) {
      const struct timespec nap = {0, 1000000};
      nanosleep(&nap, NULL);
    } else if (length != -EAGAIN) {
      free(view);
      return length;
    }
  }
}
