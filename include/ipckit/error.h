// What every call of libipckit may return, and what all of its objects share: how an opener refuses, who uses
// an object, and where to wait.
#ifndef IPCKIT_ERROR_H
#define IPCKIT_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPCKIT_API __attribute__((visibility("default")))

/* Longest waits: a timeout in ns, 0 to try once, IPCKIT_FOREVER to wait without end. */
#define IPCKIT_FOREVER INT64_MAX

/* What the kernel has no errno for. "The object" is a queue or one of <ipckit/sync.h>. */
#define IPCKIT_E_CORRUPT (-10001)      /* the bytes make no sense: damaged, truncated or scribbled over */
#define IPCKIT_E_TYPE (-10002)         /* the object carries another type; see ipckit_refusal_t */
#define IPCKIT_E_VERSION (-10003)      /* made by an incompatible version of the layout */
#define IPCKIT_E_BYTE_ORDER (-10004)   /* made by a machine of the other byte order */
#define IPCKIT_E_NOT_A_QUEUE (-10005)  /* a regular file, but none of ours */
#define IPCKIT_E_NOT_REGULAR (-10006)  /* a directory, a FIFO, a device or a symbolic link */
#define IPCKIT_E_OWNER (-10007)        /* belongs to another user */
#define IPCKIT_E_MODE (-10008)         /* everyone may write to it */
#define IPCKIT_E_LINKS (-10009)        /* has a second name */
#define IPCKIT_E_SIZE (-10010)         /* the file is shorter or longer than its header says */
#define IPCKIT_E_STALE (-10011)        /* the delivery of this token is over: nothing was changed */
#define IPCKIT_E_SHUTDOWN (-10012)     /* the queue was shut down */
#define IPCKIT_E_HELD (-10013)         /* a living process holds a lock and does not go on (stopped?) */
#define IPCKIT_E_FORKED (-10014)       /* the handle belongs to the parent process */
#define IPCKIT_E_PARTICIPANTS (-10015) /* every participant's place is taken */
#define IPCKIT_E_PREFETCH (-10016)     /* as many leases as the handle may hold */
#define IPCKIT_E_TASKS (-10017)        /* task_done without a task */
#define IPCKIT_E_KIND (-10018)         /* another kind of object has that name; see ipckit_refusal_t */
#define IPCKIT_E_NOT_HELD (-10019)     /* release of what this handle does not hold */
#define IPCKIT_E_BROKEN (-10020)       /* the barrier is broken */
#define IPCKIT_E_BOUND (-10021)        /* release above the bound of a bounded semaphore */
#define IPCKIT_E_WAITERS (-10022)      /* every waiter's place is taken */

/* The kinds of object, as found at a name. */
#define IPCKIT_KIND_QUEUE 0U
#define IPCKIT_KIND_LOCK 1U
#define IPCKIT_KIND_RLOCK 2U
#define IPCKIT_KIND_RWLOCK 3U
#define IPCKIT_KIND_SEMAPHORE 4U
#define IPCKIT_KIND_BOUNDED_SEMAPHORE 5U
#define IPCKIT_KIND_CONDITION 6U /* an RLock and a room of waiters in one */
#define IPCKIT_KIND_EVENT 7U
#define IPCKIT_KIND_BARRIER 8U
#define IPCKIT_KIND_VALUE 9U /* bytes, and an RLock for them */

/* Filled when an opener refuses with IPCKIT_E_TYPE, _KIND, _VERSION, _OWNER, _MODE, _LINKS or _SIZE. */
typedef struct ipckit_refusal {
  uint64_t fingerprint;
  char type_name[128];
  uint32_t version;
  uint32_t owner;
  uint32_t mode;
  uint32_t links;
  uint64_t size_bytes;
  uint64_t bytes; /* of a value */
  uint32_t kind;  /* IPCKIT_KIND_* */
  uint32_t unused;
} ipckit_refusal_t;

/* One who uses an object. */
typedef struct ipckit_participant {
  uint32_t slot;
  uint32_t pid;    /* in its own PID namespace */
  uint32_t roles;  /* IPCKIT_ROLE_* */
  uint32_t leases; /* what it holds: leases of messages, locks, permits */
  uint64_t since;  /* CLOCK_REALTIME in ns */
  uint32_t alive;
  uint32_t self; /* 1 for the asking handle */
  char name[32];
} ipckit_participant_t;

/* What participants have done, or do. */
#define IPCKIT_ROLE_PRODUCER 1U
#define IPCKIT_ROLE_CONSUMER 2U
#define IPCKIT_ROLE_WAITER 4U   /* waits for a lock, a permit, a notice */
#define IPCKIT_ROLE_OBSERVER 8U /* only looks: no party of a barrier */

/* A word to wait on with futex or futex_waitv, shared and 32 bits wide. */
typedef struct ipckit_wait_word {
  const uint32_t* address;
  uint32_t expected;
} ipckit_wait_word_t;

/* Version of the library, "1.0.0", and text for any negative value that a call returned. */
IPCKIT_API const char* ipckit_version(void);
IPCKIT_API const char* ipckit_strerror(int error);
IPCKIT_API const char* ipckit_error_name(int error);

/* The fingerprint of a type by its name, as every client computes it: FNV-1a of the bytes, 64 bits, never 0.
 */
IPCKIT_API uint64_t ipckit_fingerprint(const char* type_name);

/* When another program truncates the file under us, the kernel sends SIGBUS. The library handles that for its
   own mappings and passes every other SIGBUS on. Call with 0 before the first open to have no handler
   installed. */
IPCKIT_API void ipckit_guard(int enabled);

#ifdef __cplusplus
}
#endif

#endif
