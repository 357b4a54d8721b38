// Names and sentences of the codes that the calls return.
#include <string.h>

#include "ipckit/error.h"

typedef struct own_error {
  int code;
  const char* name;
  const char* text;
} own_error;

static const own_error own_errors[] = {
    {IPCKIT_E_CORRUPT, "CORRUPT", "the bytes are damaged"},
    {IPCKIT_E_TYPE, "TYPE", "it carries another type"},
    {IPCKIT_E_VERSION, "VERSION", "it was made by an incompatible version"},
    {IPCKIT_E_BYTE_ORDER, "BYTE_ORDER", "it was made on a machine of the other byte order"},
    {IPCKIT_E_NOT_A_QUEUE, "NOT_A_QUEUE", "the file is none of ipckit"},
    {IPCKIT_E_NOT_REGULAR, "NOT_REGULAR", "the name is not a regular file"},
    {IPCKIT_E_OWNER, "OWNER", "it belongs to another user"},
    {IPCKIT_E_MODE, "MODE", "everyone may write to it"},
    {IPCKIT_E_LINKS, "LINKS", "it has a second name"},
    {IPCKIT_E_SIZE, "SIZE", "the file has another size than its header says"},
    {IPCKIT_E_STALE, "STALE", "this delivery is over"},
    {IPCKIT_E_SHUTDOWN, "SHUTDOWN", "the queue was shut down"},
    {IPCKIT_E_HELD, "HELD", "a living process holds a lock inside and does not go on"},
    {IPCKIT_E_FORKED, "FORKED", "the handle belongs to the parent process"},
    {IPCKIT_E_PARTICIPANTS, "PARTICIPANTS", "it has as many participants as it can"},
    {IPCKIT_E_PREFETCH, "PREFETCH", "the handle holds as many leases as it may"},
    {IPCKIT_E_TASKS, "TASKS", "task_done was called more often than there were tasks"},
    {IPCKIT_E_KIND, "KIND", "another kind of object has that name"},
    {IPCKIT_E_NOT_HELD, "NOT_HELD", "this handle does not hold it"},
    {IPCKIT_E_BROKEN, "BROKEN", "the barrier is broken"},
    {IPCKIT_E_BOUND, "BOUND", "the semaphore was released more often than it was acquired"},
    {IPCKIT_E_WAITERS, "WAITERS", "it has as many waiters as it can"},
};

static const own_error* find(int error) {
  for (size_t i = 0; i < sizeof own_errors / sizeof *own_errors; i++) {
    if (own_errors[i].code == error) return &own_errors[i];
  }
  return NULL;
}

const char* ipckit_strerror(int error) {
  const own_error* own = find(error);
  if (own) return own->text;
  return error < 0 ? strerror(-error) : "success";
}

const char* ipckit_error_name(int error) {
  const own_error* own = find(error);
  return own ? own->name : "";
}

const char* ipckit_version(void) { return "1.0.0"; }
