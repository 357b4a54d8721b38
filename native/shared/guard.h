// Mappings of files that another program may truncate. See guard.c.
#ifndef IPCKIT_SHARED_GUARD_H
#define IPCKIT_SHARED_GUARD_H

#include <stddef.h>

#include "participants.h"

// A mapped file of a handle.
typedef struct ring_mapped {
  void* start;
  size_t bytes;
  const ring_people* people;  // of the same handle: a forked child has no mapping
  int lost;                   // set by the guard: the file was truncated under us
  struct ring_mapped* next;
} ring_mapped;

void ring_guard_add(ring_mapped* map);
void ring_guard_remove(ring_mapped* map);

#endif
