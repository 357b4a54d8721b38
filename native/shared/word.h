// Words of shared memory: each is read once into a local, checked there, and never read again. The clock and
// futex(2) are here too. Used by every file of libipckit; knows nothing of queues.
#ifndef IPCKIT_SHARED_WORD_H
#define IPCKIT_SHARED_WORD_H

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Relaxed: the word is guarded by a lock, or is a hint.
#define ring_load(word) __atomic_load_n((word), __ATOMIC_RELAXED)
#define ring_store(word, value) __atomic_store_n((word), (value), __ATOMIC_RELAXED)
#define ring_load_acquire(word) __atomic_load_n((word), __ATOMIC_ACQUIRE)
#define ring_store_release(word, value) __atomic_store_n((word), (value), __ATOMIC_RELEASE)

#define RING_MILLISECOND 1000000LL
#define RING_SECOND 1000000000LL

static inline int64_t ring_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * RING_SECOND + now.tv_nsec;
}

// A few milliseconds coarse and some nanoseconds cheap.
static inline int64_t ring_now_coarse(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * RING_SECOND + now.tv_nsec;
}

// The time of day, as coarse.
static inline uint64_t ring_realtime_coarse(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return (uint64_t)now.tv_sec * RING_SECOND + (uint64_t)now.tv_nsec;
}

// The time that lies `ns` ahead; never beyond the end of time.
static inline int64_t ring_after(int64_t now, int64_t ns) {
  return ns > INT64_MAX - now ? INT64_MAX : now + ns;
}

// Waits while the word has the value, for at most `ns`. Returns 0 or negative errno (EAGAIN, ETIMEDOUT,
// EINTR).
static inline int ring_futex_wait(const uint32_t* word, uint32_t value, int64_t ns) {
  if (ns <= 0) return -ETIMEDOUT;
  struct timespec span = {ns / RING_SECOND, ns % RING_SECOND};
  return syscall(SYS_futex, word, FUTEX_WAIT, value, &span, NULL, 0) == 0 ? 0 : -errno;
}

// Returns how many it woke.
static inline int ring_futex_wake(const uint32_t* word, int count) {
  long woken = syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
  return woken < 0 ? 0 : (int)woken;
}

static inline void ring_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
