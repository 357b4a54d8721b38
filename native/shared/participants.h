// Who uses a piece of shared memory, and who of them is alive. A participant holds an OFD write lock on its
// own byte of the file: the kernel drops it at any death, also where process numbers mean nothing. Queues
// stand on it, and every other object that must survive its users can.
#ifndef IPCKIT_SHARED_PARTICIPANTS_H
#define IPCKIT_SHARED_PARTICIPANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ipckit/error.h"
#include "ipckit/layout.h"
#include "word.h"

#define RING_MAX_PARTICIPANTS 1024

typedef struct ring_people {
  ipckit_layout_participant_t* table;
  uint32_t count;
  int fd;           // -1 in a forked child
  uint64_t device;  // of the file, since a program may close our descriptor and get its number for another
  uint64_t inode;
  uint32_t slot;   // mine
  uint32_t epoch;  // mine
  uint32_t tag;    // mine, as owner of a lock; see lock.h
  uint64_t stamp;  // of the process that attached
  uint32_t roles;  // with which it attaches: IPCKIT_ROLE_*
  // Who had the place before, when that was somebody dead whose death was not seen to yet.
  bool adopted;
  uint32_t late_epoch, late_pid, late_roles;
  char late_name[32];
  struct ring_people* next;
  struct ring_people* previous;
} ring_people;

// Returned by ring_people_attach when the place was that of a dead one: what it held is to be given back
// first.
#define RING_FOUND_DEAD 1

// Word of the process that is running; differs after fork(2), and after clone(2) without our handlers.
extern const volatile uint64_t* ring_process_stamp;

static inline bool ring_people_forked(const ring_people* people) {
  return people->stamp != *ring_process_stamp;
}

// Whether it is time to look for the dead: 80 ms after anybody did, and after a second of others doing so.
// `mine` is the handle's, `common` the file's.
bool ring_people_look_due(int64_t* mine, uint64_t* common);

// How the participant of a slot is named as owner of a lock: slot + 1 in 11 bits, the low 20 bits of its
// epoch.
static inline uint32_t ring_tag(uint32_t slot, uint32_t epoch) {
  return (slot + 1) | (epoch & 0xfffff) << 11;
}

// Whether we were taken for dead, which no correct program brings about: our lock lives as long as the
// mapping.
static inline bool ring_people_buried(const ring_people* people) {
  return ring_load(&people->table[people->slot].word) != (people->epoch << 2 | IPCKIT_SLOT_USED);
}

// For people.
void ring_people_describe(const ring_people* people, uint32_t slot, ipckit_participant_t* one);

// Takes a place in the table. `people->table`, `count` and `fd` are set. 0, RING_FOUND_DEAD or negative.
int ring_people_attach(ring_people* people, const char* name);
// Gives the place back, when nothing is held any more, and closes the descriptor. In a forked child it only
// closes.
void ring_people_detach(ring_people* people);
// Leaves as the dead do: the others recover.
void ring_people_abandon(ring_people* people);

// Reads the word of a slot: its epoch, or false when nobody uses it.
bool ring_people_used(const ring_people* people, uint32_t slot, uint32_t* epoch);
// Whether the process that took the slot still exists. Asks the kernel, 0.4 us.
bool ring_people_alive(const ring_people* people, uint32_t slot);
// Sets dead[slot] to 1 + epoch for everyone who uses a slot and does not live; returns how many.
uint32_t ring_people_dead(const ring_people* people, uint64_t dead[RING_MAX_PARTICIPANTS]);
// Makes the slot free again, after everything of its dead owner was given back.
void ring_people_bury(const ring_people* people, uint32_t slot, uint32_t epoch);

#endif
