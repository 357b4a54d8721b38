// Small questions about what a queue is: the number of a type's name, and whether the queue still has its
// name.
#include <sys/stat.h>

#include "queue.h"

// FNV-1a, 64 bits: easy to compute in any language, and no one is to be kept out by it.
uint64_t ipckit_fingerprint(const char* type_name) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const unsigned char* at = (const unsigned char*)type_name; *at; at++) {
    hash = (hash ^ *at) * 0x100000001b3ULL;
  }
  // 0 stands for any type.
  return hash == 0 ? 1 : hash;
}

int ipckit_queue_is_unlinked(ipckit_queue_t* q) {
  if (ring_people_forked(&q->people)) return IPCKIT_E_FORKED;
  struct stat file;
  if (fstat(q->people.fd, &file) < 0) return -errno;
  return file.st_nlink == 0;
}
