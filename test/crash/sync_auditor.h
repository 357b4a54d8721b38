// What must be true when somebody died at a lock or one of its friends: what he held is told or given back,
// nobody sleeps on, and the object is as good as new.
#ifndef IPCKIT_CRASH_SYNC_AUDITOR_H
#define IPCKIT_CRASH_SYNC_AUDITOR_H

#include "sync_scene.h"

// What the bytes say at the death.
typedef struct facts {
  pid_t told;                  // whose death the next holder must be told; 0: of none
  int holders;                 // before the next one
  int through;                 // event, condition: how many sleepers must come through now
  bool broken;                 // barrier: it must be afterwards
  int results[MOST_SLEEPERS];  // barrier: what each sleeper must get; 1: it waits on
} facts;

extern int64_t slowest;          // from a death until a sleeper came through, or a survivor's call came back
extern unsigned long above_250;  // how often that took more than 250 ms
extern unsigned long tells, passed_on;

// The victim stands where it is going to be killed: afterwards a sleeper may recover before anybody looks.
facts look_before_death(const scene* sc, const tracee* victim);
// The last death was just now.
void begin_audit(void);
void audit(const scene* sc, const facts* f, bool sweeps_first);

#endif
