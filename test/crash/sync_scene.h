// Scenes in which somebody dies at a lock, a semaphore, an event...: the object, who sleeps at it, what the
// victim does there an instruction at a time, and what must be true when it is dead.
#ifndef IPCKIT_CRASH_SYNC_SCENE_H
#define IPCKIT_CRASH_SYNC_SCENE_H

#include <stdatomic.h>

#include "sync/sync.h"
#include "tracee.h"

#define MOST_SLEEPERS 3
#define PARTICIPANTS 8
#define HARD_BOUND (2 * RING_SECOND)

// What a victim says about itself.
typedef struct ledger {
  progress at;
  volatile uint32_t tag;    // of its handle, as owner of a lock; 0 while it has none
  volatile int64_t result;  // of the last call
} ledger;

// A process that sleeps in a wait, and goes away when it is over.
typedef struct sleeper {
  volatile pid_t pid;  // 0: there is none
  uint32_t operation;
  volatile int over;
  volatile int result, order;  // order: how many held before it
  volatile uint32_t owner_died, dead_pid, index;
} sleeper;

typedef struct stage {
  ledger victims[2];
  sleeper sleepers[MOST_SLEEPERS];
  atomic_int inside, overlaps, order;
  volatile pid_t dead_pid;  // of the process that was dead before
  volatile uint32_t dead_tag;
} stage;

typedef struct scene {
  const char* name;
  uint32_t kind, value;
  void (*before)(void);             // ours, before the victim attaches
  void (*prepare)(ipckit_sync_t*);  // the victim's
  void (*between)(void);            // ours, when it stands ready
  void (*run)(ipckit_sync_t*);
  bool held_before, held_after;  // the lock, by the victim
  bool detached;                 // it attaches within `run`
  bool observer;
  bool heir_dies;  // after the victims, the first sleeper is killed too
} scene;

extern const scene scenes[];
extern const int scene_count;

extern char name[64];
extern stage* on_stage;
extern ipckit_sync_t* survivor;

// The object, and `survivor`.
void set_up(const scene* sc);
void take_down(void);
tracee start_victim(const scene* sc);
// Another one, that will sweep.
tracee start_sweeper(const scene* sc);
// Those leave who were there only to fill it.
void make_room(void);
// Whether a process sleeps, wherever.
bool is_asleep(pid_t pid);
void put_to_sleep(uint32_t operation);
// Waits until a sleeper's wait is over, at most for the hard bound. False when it was not.
bool await_sleeper(const sleeper* one);
void bury(sleeper* one);
void kill_sleeper(sleeper* one);
void signal_sleepers(int signal);
// What a holder does, so that two at once are noticed.
void visit(bool shared);

#endif
