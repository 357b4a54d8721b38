/* The lock, commit, recovery and waiting protocol of native/ring, for spin(1). Producers and consumers that may
 * die at any step, also in a recovery, and survivors that go on; .ci/lanes/model.sh checks every interleaving,
 * and that each mutant below is refuted. The steps carry the names of the C functions that they model.
 *
 * What is in it: the truth words (state, owner, generation, delivery), the indices that a recovery makes anew
 * (ring, returned, free, counters), the three owner-tagged locks with their sleepers, arming, events and futex
 * waits, small and large puts, get, lease, ack, nack, leases that run out, and leaving while being woken.
 * What is not: reordering by the processor (each step here is sequentially consistent; the thread sanitizer and
 * the pairs in the comments of the C code are for that), blocks and heaps as such, priorities, shutdown, clear, and
 * slots that are taken again. Time is not either: a bound passes only when it changes something (see BOUND).
 *
 * What must hold, as assertions: whoever changes what a lock guards owns it; a cell is there for whoever found
 * room; a delivered payload is whole, was committed, is the oldest, is never given again after its end, and each
 * delivery has a higher number than the one before; an ack succeeds exactly for the delivery that it names; in the
 * end nothing is lost or leaked. And every execution ends: a state in which a survivor cannot go on is an invalid
 * end state, and one where it goes round for ever is a cycle, of which there is none.
 */

#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef CELLS
#define CELLS 3
#endif
#ifndef MESSAGES
#define MESSAGES 1 /* of each producer; the first one sends one more when UNEVEN */
#endif
#ifndef UNEVEN
#define UNEVEN 0
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef NACKS
#define NACKS 1 /* how often somebody gives a message back, */
#endif
#ifndef EXPIRIES
#define EXPIRIES 0 /* a lease runs out, */
#endif
#ifndef KEEPS
#define KEEPS EXPIRIES /* a consumer goes on with a lease in its hands, */
#endif
#ifndef LEAVES
#define LEAVES 0 /* and a waiting consumer leaves */
#endif
#ifndef LARGE
#define LARGE 1 /* the last so many producers copy outside of the lock */
#endif

#ifndef FINE
#define FINE 1
#endif

/* How fine the steps are. FINE: each word that others can see changes in a step of its own, and those who wait for
 * a lock sleep. Otherwise what happens under one lock is one step up to where others may see it, locks are waited
 * for without sleeping, and arming and waking are one step each. That leaves out no outcome as long as the locks
 * exclude, which FINE shows: taking one can be moved later, releasing one earlier, past any step of others. Deaths
 * come before every change in both. */
#if FINE
#define SECTION {
#define SECTION_END }
#else
#define SECTION atomic {
#define SECTION_END }
#endif

#define PEOPLE (PRODUCERS + CONSUMERS)
#define MOST 4 /* participants */
#define ALL_MESSAGES (PRODUCERS * MESSAGES + UNEVEN)
#define ALL_CELLS ((1 << CELLS) - 1)
#define NONE 255

/* Mutants: names for -D, 0 when they are not wanted. */
#ifndef MUTANT
#define MUTANT 0
#endif
#define COMMIT_BEFORE_PAYLOAD 1  /* put: READY first, bytes after it */
#define FREE_BEFORE_COPY 2       /* get: FREE first, bytes after it */
#define UNLOCK_WITHOUT_WAKE 3    /* ring_unlock: does not look at the sleepers */
#define TAKE_WITHOUT_BIT 4       /* ring_lock_slow: takes the lock without the bit for other sleepers */
#define PUBLISH_WITHOUT_WAKE 5   /* put: does not look who is armed */
#define ARM_AFTER_LOOK 6         /* ring_retry: looks again before it arms */
#define TAKE_BACK_ARMED 7        /* ring_wake: stores 0 whoever armed since */
#define LEAVE_WITHOUT_DISARM 8   /* a wake-up goes with the one that leaves */
#define UNBOUNDED_WAIT 9         /* waiters sleep until they are woken */
#define UNBOUNDED_LOCK 10        /* those at locks too */
#define OWNER_NOT_ASKED 11       /* ring_lock_slow: never asks whether the owner lives */
#define DONE_BEFORE_FREE 12      /* ring_room_publish: the other order */
#define NO_GENERATION 13         /* current: compares state and owner only */
#define SKIP_TAKEN 14            /* return_orphans: nothing */
#define SKIP_WRITING 15          /* count_cell: leaves what a dead producer was writing */
#define FREE_ALL_WRITING 16      /* count_cell: takes from the living what they write */
#define RECOVER_ONE_SIDE 17      /* recover_locked: without the lock of the other side */
#define OLD_NEXT_SEQ 18          /* ring_rebuild: keeps the counter of a producer that died before it counted */
#define OLD_LISTS 19             /* ring_rebuild: keeps the lists of the dead */
#define UNLOCK_BEFORE_REBUILD 20 /* recover_locked: frees the dead one's lock first */

/* States of a cell. */
#define FREE 0
#define WRITING 1
#define READY 2
#define TAKEN 3

typedef cell_t {
  byte state; /* these four are the truth word, and change in one step: ring_commit */
  byte owner;
  byte generation;
  byte delivery;
  byte seq;
  byte payload /* the number of its message + 1 when the bytes are there, else 0 */
}
cell_t cells[3]; /* the first CELLS of them are used */

/* Indices. A ring is read and written by one store each, so its entries can be a sequence here. */
byte ring[4]; /* cells from head to tail */
byte listed;      /* tail - head */
byte returned;    /* set of cells: the heap of what came back */
byte free;        /* set of cells between free_head and free_tail */
byte next_seq = 1;
byte done;
byte writing;
byte taken;

/* Locks: slot + 1 and the bit for sleepers. */
#define R 0
#define P 1
#define C 2
byte lock_owner[3];
bool lock_sleepers[3];
#define OWNER_DEAD 1

/* Participants: the kernel's answer and the word of the slot. */
bool alive[MOST];
bool used[MOST];
bool running[MOST]; /* not yet over */
byte crashes;
byte nacks;
byte expiries;
byte keeps;
byte leaves;

/* Where somebody sleeps in futex(2): 0, or one of these. */
byte asleep[MOST];
#define AT_LOCK 1
#define AT_PLACE 4

/* Places to wait at. The event is not counted: what matters is who saw the current one (fresh), whether `armed`
 * is of the current one or of an older one, and whether `armed` is still what a waker read of it (same). */
#define ITEMS 0
#define SPACE 1
#define STALE 1
#define FRESH 2
byte armed[2];
bool fresh[MOST];
byte same[MOST]; /* place + 1 */

/* The ledger, outside of the queue. */
bool committed[ALL_MESSAGES];
bool gone[ALL_MESSAGES];   /* got or acknowledged */
byte handed[ALL_MESSAGES]; /* number of its last delivery */

#define LIVES(slot) (alive[slot] && used[slot])
#define OWNED_BY_DEAD(l) (lock_owner[l] != 0 && !LIVES(lock_owner[l] - 1))
#define SOMEBODY_DEAD                                                                                        \
  ((!alive[0] && used[0]) || (!alive[1] && used[1]) || (!alive[2] && used[2]) || (!alive[3] && used[3]))
#define IS_PRODUCER(slot) (slot < PRODUCERS)
#define RUNS(slot) (running[slot] && alive[slot])
#define PRODUCERS_OVER (!RUNS(0) && (PRODUCERS < 2 || !RUNS(1)))
#define A_CONSUMER_RUNS                                                                                      \
  ((PRODUCERS < 2 && RUNS(1)) || (PEOPLE > 2 && RUNS(2)) || (PEOPLE > 3 && RUNS(3)))
#define ALL_FREE (cells[0].state == FREE && cells[1].state == FREE && cells[2].state == FREE)
#define DRAINED (PRODUCERS_OVER && ALL_FREE && !SOMEBODY_DEAD)
#define MAYBE_READY (listed > 0 || returned != 0)
#define HAS_ROOM (next_seq - 1 - done + writing < CELLS)

/* Death before the next change. Steps that nobody else can see between share one atomic block, each with a death
 * of its own before it. */
#define MAY_DIE crashes < CRASHES
#define CRASH                                                                                                \
  if                                                                                                         \
  :: MAY_DIE -> goto dies                                                                                    \
  :: true                                                                                                    \
  fi

/* A bounded sleep ends by itself. When that finds nothing it leads back to where it was, so only one that finds
 * something is a step; and before any death it must find nothing, since a wake-up would be lost. */
#define BOUND(finds) (crashes > 0 && (finds))

/* FUTEX_WAKE, in any order. */
inline futex_wake(where) {
  if
  :: asleep[0] == where -> asleep[0] = 0; woken = 1
  :: asleep[1] == where -> asleep[1] = 0; woken = 1
  :: asleep[2] == where -> asleep[2] = 0; woken = 1
  :: asleep[3] == where -> asleep[3] = 0; woken = 1
  :: else -> woken = 0
  fi
}

inline futex_wake_all(where) {
  d_step {
    i = 0;
    do
    :: i < PEOPLE ->
       if
       :: asleep[i] == where -> asleep[i] = 0
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0
  }
}

/* ring_lock and ring_lock_slow; sets result. */
inline ring_lock(l) {
#if FINE
  do
  :: atomic {
       if
       :: lock_owner[l] == 0 ->
          CRASH;
          lock_owner[l] = me + 1;
          lock_sleepers[l] = slow && MUTANT != TAKE_WITHOUT_BIT;
          slow = 0;
          result = 0;
          break
       :: MUTANT != OWNER_NOT_ASKED && OWNED_BY_DEAD(l) ->
          slow = 0;
          result = OWNER_DEAD;
          break
       :: else ->
          CRASH;
          lock_sleepers[l] = 1;
          seen = lock_owner[l];
          slow = 1
       fi
     };
     atomic { /* FUTEX_WAIT compares the word */
       if
       :: lock_owner[l] == seen && lock_sleepers[l] -> asleep[me] = AT_LOCK + l
       :: else
       fi;
       seen = 0
     };
     atomic {
       if
       :: asleep[me] == 0
       :: BOUND(lock_owner[l] == 0 || OWNED_BY_DEAD(l)) && MUTANT != UNBOUNDED_LOCK &&
          MUTANT != OWNER_NOT_ASKED -> asleep[me] = 0
       :: MAY_DIE -> goto dies
       fi
     }
  od
#else
  atomic {
    if
    :: lock_owner[l] == 0 -> CRASH; lock_owner[l] = me + 1; result = 0
    :: MUTANT != OWNER_NOT_ASKED && OWNED_BY_DEAD(l) -> result = OWNER_DEAD
    fi
  }
#endif
}

inline ring_unlock(l) {
  atomic {
    CRASH;
    assert(lock_owner[l] == me + 1);
    was = lock_sleepers[l];
    lock_owner[l] = 0;
    lock_sleepers[l] = 0
  };
#if FINE
  if
  :: was && MUTANT != UNLOCK_WITHOUT_WAKE ->
     atomic {
       CRASH;
       futex_wake(AT_LOCK + l); /* ring_lock_wake */
       woken = 0;
       was = 0
     }
  :: else -> was = 0
  fi
#endif
}

/* `armed` got another value: who read the one before cannot take it back. */
inline other_armed(place) {
  d_step {
    i = 0;
    do
    :: i < PEOPLE ->
       if
       :: same[i] == place + 1 -> same[i] = 0
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0
  }
}

inline event_moves(place) {
  d_step {
    if
    :: armed[place] == FRESH -> armed[place] = STALE
    :: else
    fi;
    i = 0;
    do
    :: i < PEOPLE ->
       if
       :: (place == SPACE) == IS_PRODUCER(i) -> fresh[i] = 0
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0
  }
}

inline ring_wake(place) {
  SECTION
  atomic {
    CRASH;
    if
    :: armed[place] != 0 -> same[me] = place + 1
    :: else
    fi;
    woken = armed[place] == 0
  };
  if
  :: !woken ->
     atomic { CRASH; event_moves(place) };
     atomic { CRASH; futex_wake(AT_PLACE + place) };
     atomic {
       CRASH;
       if
       :: woken == 0 && (same[me] == place + 1 || MUTANT == TAKE_BACK_ARMED) ->
          armed[place] = 0;
          other_armed(place)
       :: else
       fi;
       same[me] = 0;
       woken = 0
     }
  :: else -> woken = 0
  fi
  SECTION_END
}

/* After a get: hands a wake-up on. */
inline ring_wake_on() {
  atomic {
    CRASH;
    found = armed[ITEMS] != 0 && MAYBE_READY
  };
  if
  :: found -> found = 0; ring_wake(ITEMS)
  :: else
  fi
}

inline arm(place) {
  SECTION
  atomic { fresh[me] = 1 };
  atomic {
    CRASH;
    if
    :: fresh[me] && armed[place] != FRESH -> armed[place] = FRESH; other_armed(place)
    :: fresh[me] && armed[place] == FRESH
    :: !fresh[me] && armed[place] != STALE -> armed[place] = STALE; other_armed(place)
    :: !fresh[me] && armed[place] == STALE /* the same old event or another one */
    :: !fresh[me] && armed[place] == STALE -> other_armed(place)
    fi
  }
  SECTION_END
}

/* ring_recover: claim_recovery, recover_locked, ring_rebuild, ring_wake_everyone. */
inline ring_recover() {
  SECTION
  do
  :: ring_lock(R);
     if
     :: result == 0 -> break
     :: else ->
        atomic { /* ring_lock_inherit */
          result = 0;
          if
          :: OWNED_BY_DEAD(R) ->
             CRASH;
             lock_owner[R] = me + 1;
             lock_sleepers[R] = FINE;
             break
          :: else
          fi
        }
     fi
  od
  SECTION_END;
  SECTION
  /* claim: a lock of the dead stays theirs until both are had. */
  ring_lock(P);
  producers_dead = result;
  result = 0;
  if
  :: MUTANT == UNLOCK_BEFORE_REBUILD && producers_dead ->
     atomic { CRASH; lock_owner[P] = 0; producers_dead = 0 };
     ring_lock(P)
  :: else
  fi;
  if
  :: MUTANT == RECOVER_ONE_SIDE && producers_dead && !OWNED_BY_DEAD(C)
  :: else ->
     ring_lock(C);
     consumers_dead = result;
     result = 0
  fi;
  if
  :: producers_dead ->
     atomic { /* inherit */
       CRASH;
       assert(OWNED_BY_DEAD(P));
       lock_owner[P] = me + 1;
       lock_sleepers[P] = FINE;
       producers_dead = 0
     }
  :: else
  fi;
  if
  :: consumers_dead ->
     atomic {
       CRASH;
       assert(OWNED_BY_DEAD(C));
       lock_owner[C] = me + 1;
       lock_sleepers[C] = FINE;
       consumers_dead = 0
     }
  :: else
  fi;
  atomic { /* ring_people_dead and empty_lists */
    CRASH;
    assert(lock_owner[P] == me + 1 && lock_owner[C] == me + 1);
    d_step {
      i = 0;
      do
      :: i < PEOPLE ->
         if
         :: !LIVES(i) -> lost = lost | (1 << i)
         :: else
         fi;
         i++
      :: else -> break
      od;
      i = 0;
      if
      :: MUTANT != OLD_LISTS -> listed = 0; returned = 0; ring[0] = 0; ring[1] = 0; ring[2] = 0
      :: else
      fi
    }
  }
  SECTION_END;
  SECTION
  atomic { /* count_cell */
    c = 0;
    do
    :: c < CELLS ->
       if
       :: cells[c].state == WRITING && MUTANT != SKIP_WRITING &&
          ((lost >> cells[c].owner) & 1 || MUTANT == FREE_ALL_WRITING) ->
          CRASH;
          d_step { cells[c].state = FREE; cells[c].owner = 0; cells[c].payload = 0 }
       :: else
       fi;
       c++
    :: else -> break
    od;
    c = 0;
    CRASH;
    d_step {
      free = 0;
      writing = 0;
      taken = 0;
      last = 0;
      pending = 0;
      do
      :: c < CELLS ->
         if
         :: cells[c].state == FREE -> free = free | (1 << c)
         :: cells[c].state == WRITING -> writing++
         :: cells[c].state == READY ->
            pending++;
            if
            :: MUTANT != OLD_LISTS -> returned = returned | (1 << c)
            :: else
            fi
         :: cells[c].state == TAKEN -> pending++; taken++
         fi;
         if
         :: cells[c].state >= READY && cells[c].seq > last -> last = cells[c].seq
         :: else
         fi;
         c++
      :: else -> break
      od;
      c = 0;
      if
      :: next_seq <= last && MUTANT != OLD_NEXT_SEQ -> next_seq = last + 1
      :: else
      fi;
      done = next_seq - 1 - pending;
      last = 0;
      pending = 0
    }
  };
  atomic { /* return_orphans, then ring_people_bury */
    do
    :: c < CELLS ->
       if
       :: cells[c].state == TAKEN && ((lost >> cells[c].owner) & 1) && MUTANT != SKIP_TAKEN ->
          CRASH;
          taken--;
          CRASH;
          d_step { cells[c].state = READY; cells[c].owner = 0; cells[c].generation++ };
          CRASH;
          returned = returned | (1 << c)
       :: else
       fi;
       c++
    :: else -> break
    od;
    c = 0;
    CRASH;
    d_step {
      i = 0;
      do
      :: i < PEOPLE ->
         if
         :: ((lost >> i) & 1) && used[i] -> used[i] = 0
         :: else
         fi;
         i++
      :: else -> break
      od;
      i = 0;
      lost = 0
    }
  };
  ring_unlock(C);
  ring_unlock(P)
  SECTION_END;
  SECTION
  atomic { CRASH; event_moves(ITEMS) };
  atomic { CRASH; futex_wake_all(AT_PLACE + ITEMS) }
  SECTION_END;
  SECTION
  atomic { CRASH; event_moves(SPACE) };
  atomic { CRASH; futex_wake_all(AT_PLACE + SPACE) };
  ring_unlock(R)
  SECTION_END
}

/* The last one looks at what is left. */
inline audit() {
  d_step {
    running[me] = 0;
    if
    :: !RUNS(0) && !RUNS(1) && !RUNS(2) && !RUNS(3) && DRAINED ->
       assert(free == ALL_CELLS && writing == 0 && taken == 0 && done == next_seq - 1 && !MAYBE_READY);
       i = 0;
       do
       :: i < ALL_MESSAGES -> assert(!committed[i] || gone[i]); i++
       :: else -> break
       od;
       i = 0
    :: else
    fi
  }
}

/* Where a recovery was asked for. */
#define OPERATION 0
#define COMPLETE 1
#define WAIT 2

proctype producer(byte me, message, left) {
  byte result, was, woken, seen, i, c, lost, last, pending, cell, asked_by;
  bool slow, producers_dead, consumers_dead, second_look;

put: /* attempt of put.c */
  SECTION
  ring_lock(P);
  if
  :: result == OWNER_DEAD -> asked_by = OPERATION; goto recover
  :: else
  fi;
  atomic {
    assert(lock_owner[P] == me + 1);
    if
    :: HAS_ROOM ->
       assert(free != 0);
       cell = ((free & 1) -> 0 : ((free & 2) -> 1 : 2)); /* ring_allocate */
       assert(cells[cell].state == FREE);
       if
       :: me >= PRODUCERS - LARGE -> /* reserve */
          CRASH;
          free = free & ~(1 << cell);
          CRASH;
          d_step {
            cells[cell].payload = 0;
            cells[cell].seq = 0;
            cells[cell].delivery = 0;
            cells[cell].state = WRITING;
            cells[cell].owner = me;
            cells[cell].generation++
          };
          CRASH;
          writing++
       :: else -> /* put_small */
          CRASH;
          free = free & ~(1 << cell);
          CRASH;
          d_step {
            cells[cell].payload = (MUTANT == COMMIT_BEFORE_PAYLOAD -> 0 : message + 1); /* ring_copy_in */
            cells[cell].seq = next_seq;
            cells[cell].delivery = 0
          };
          CRASH;
          d_step { cells[cell].state = READY; cells[cell].generation++; committed[message] = 1 };
          CRASH;
          cells[cell].payload = message + 1;
          CRASH;
          next_seq++
       fi
    :: else -> goto no_room
    fi
  };
  if
  :: me >= PRODUCERS - LARGE -> ring_unlock(P)
  :: else -> goto publish
  fi
  SECTION_END;
  atomic { /* ring_copy_in, while nobody holds a lock; a recovery of others leaves the cell alone */
    CRASH;
    assert(cells[cell].state == WRITING && cells[cell].owner == me);
    cells[cell].payload = message + 1
  };

complete:
  SECTION
  ring_lock(P);
  if
  :: result == OWNER_DEAD -> asked_by = COMPLETE; goto recover
  :: else
  fi;
  atomic {
    assert(lock_owner[P] == me + 1);
    assert(cells[cell].state == WRITING && cells[cell].owner == me);
    CRASH;
    cells[cell].seq = next_seq;
    CRASH;
    d_step { cells[cell].state = READY; cells[cell].owner = 0; committed[message] = 1 };
    CRASH;
    writing--;
    CRASH;
    next_seq++
  };
publish: /* list, too */
  atomic {
    CRASH;
    assert(lock_owner[P] == me + 1 && listed < CELLS);
    ring[listed] = cell;
    listed++;
    cell = 0
  };
  ring_unlock(P)
  SECTION_END;
  if
  :: MUTANT != PUBLISH_WITHOUT_WAKE -> ring_wake(ITEMS)
  :: else
  fi;
  atomic {
    second_look = 0;
    fresh[me] = 0;
    message++;
    left--;
    if
    :: left > 0 -> goto put
    :: else -> goto over
    fi
  };

no_room: /* ring_retry */
  SECTION
  ring_unlock(P);
  if
  :: !second_look && MUTANT != ARM_AFTER_LOOK -> second_look = 1; arm(SPACE); goto put
  :: !second_look && MUTANT == ARM_AFTER_LOOK -> second_look = 1; goto put
  :: second_look && MUTANT == ARM_AFTER_LOOK -> second_look = 0; arm(SPACE)
  :: second_look && MUTANT != ARM_AFTER_LOOK
  fi;
  atomic { /* FUTEX_WAIT */
    if
    :: fresh[me] -> asleep[me] = AT_PLACE + SPACE; fresh[me] = 0
    :: else
    fi
  }
  SECTION_END;
  atomic {
    if
    :: asleep[me] == 0
    :: MUTANT != UNBOUNDED_WAIT && BOUND(SOMEBODY_DEAD) -> asleep[me] = 0; asked_by = WAIT; goto recover
    :: MUTANT != UNBOUNDED_WAIT && BOUND(HAS_ROOM) -> asleep[me] = 0
    :: !A_CONSUMER_RUNS -> asleep[me] = 0; goto over /* it would wait for ever, rightly */
    :: MAY_DIE -> goto dies
    fi
  };
awake:
  SECTION
  if
  :: MUTANT != ARM_AFTER_LOOK -> arm(SPACE)
  :: else
  fi;
  goto put
  SECTION_END;

recover:
  ring_recover();
  atomic {
    if
    :: asked_by == COMPLETE -> asked_by = 0; goto complete
    :: asked_by == WAIT -> asked_by = 0; goto awake
    :: else -> goto put
    fi
  };

dies:
  atomic {
    alive[me] = 0;
    crashes++;
    asleep[me] = 0;
    same[me] = 0;
    fresh[me] = 0;
    goto ended
  };
over:
  audit();
ended:
  skip;
  d_step {
    result = 0; was = 0; woken = 0; seen = 0; i = 0; c = 0; lost = 0; cell = 0; message = 0; left = 0; asked_by = 0;
    slow = 0; producers_dead = 0; consumers_dead = 0; second_look = 0
  }
}

#define TAKE 0 /* get or lease, which is decided when there is something */
#define GET 1
#define LEASE 2
#define ACK 3
#define NACK 4

proctype consumer(byte me) {
  byte result, was, woken, seen, i, c, lost, last, pending, cell, op, asked_by;
  bool slow, producers_dead, consumers_dead, second_look, found;
  /* Tokens: the lease at hand and one that is kept. The number of the delivery is for the ledger. */
  byte token_cell = NONE, token_generation, token_message, token_delivery;
  byte kept_cell = NONE, kept_generation, kept_message, kept_delivery;

begin:
  atomic {
    second_look = 0;
    fresh[me] = 0;
    if
    :: token_cell != NONE ->
       if
       :: op = ACK
       :: kept_cell != NONE -> /* the older one first */
          d_step {
            cell = kept_cell; kept_cell = token_cell; token_cell = cell;
            cell = kept_generation; kept_generation = token_generation; token_generation = cell;
            cell = kept_message; kept_message = token_message; token_message = cell;
            cell = kept_delivery; kept_delivery = token_delivery; token_delivery = cell;
            cell = 0
          };
          op = ACK
       :: nacks < NACKS -> nacks++; op = NACK
       :: keeps < KEEPS && kept_cell == NONE ->
          keeps++;
          kept_cell = token_cell;
          kept_generation = token_generation;
          kept_message = token_message;
          kept_delivery = token_delivery;
          token_cell = NONE;
          token_generation = 0;
          token_message = 0;
          token_delivery = 0;
          op = TAKE
       fi
    :: token_cell == NONE && kept_cell != NONE ->
       if
       :: goto use_kept
       :: op = TAKE
       fi
    :: token_cell == NONE && kept_cell == NONE && DRAINED -> goto over
    :: token_cell == NONE && kept_cell == NONE && !DRAINED -> op = TAKE
    fi
  };
  goto attempt;

use_kept:
  atomic {
    token_cell = kept_cell;
    token_generation = kept_generation;
    token_message = kept_message;
    token_delivery = kept_delivery;
    kept_cell = NONE;
    kept_generation = 0;
    kept_message = 0;
    kept_delivery = 0;
    op = ACK
  };

attempt: /* of get.c, and the calls of lease.c */
  SECTION
  ring_lock(C);
  if
  :: result == OWNER_DEAD -> asked_by = OPERATION; goto recover
  :: else
  fi;
  if
  :: op >= ACK -> goto delivery_ends
  :: else
  fi;
  atomic { /* ring_settle_due */
    c = 0;
    do
    :: c < CELLS ->
       if
       :: cells[c].state == TAKEN && expiries < EXPIRIES ->
          expiries++;
          CRASH;
          taken--;
          CRASH;
          d_step { cells[c].state = READY; cells[c].owner = 0; cells[c].generation++ };
          CRASH;
          returned = returned | (1 << c)
       :: true
       fi;
       c++
    :: else -> break
    od;
    c = 0;
    /* ring_choose */
    assert(lock_owner[C] == me + 1);
    if
    :: returned != 0 ->
       d_step {
         cell = NONE;
         do
         :: c < CELLS ->
            if
            :: ((returned >> c) & 1) && (cell == NONE || cells[c].seq < cells[cell].seq) -> cell = c
            :: else
            fi;
            c++
         :: else -> break
         od;
         c = 0
       };
       found = 1
    :: returned == 0 && listed > 0 -> cell = ring[0]; found = 0
    :: else -> goto nothing
    fi;
    assert(cells[cell].state == READY);
    d_step {
      do
      :: c < CELLS ->
         assert(cells[c].state != READY || c == cell || cells[cell].seq < cells[c].seq);
         c++
      :: else -> break
      od;
      c = 0
    };
    /* take_small: ring_copy_out comes first. */
    assert(cells[cell].payload != 0);
    token_message = cells[cell].payload - 1;
    assert(committed[token_message] && !gone[token_message]);
    if
    :: kept_cell == NONE -> /* ring_finish_into */
       op = GET;
       CRASH;
       d_step {
         cells[cell].state = FREE;
         cells[cell].owner = 0;
         cells[cell].payload = 0;
         gone[token_message] = MUTANT != FREE_BEFORE_COPY
       };
       if
       :: MUTANT == FREE_BEFORE_COPY -> CRASH; gone[token_message] = 1
       :: else
       fi
    :: true -> /* hold */
       op = LEASE;
       CRASH;
       d_step {
         cells[cell].state = TAKEN;
         cells[cell].owner = me;
         cells[cell].delivery++;
         assert(cells[cell].delivery > handed[token_message]);
         handed[token_message] = cells[cell].delivery;
         token_delivery = cells[cell].delivery;
         token_cell = cell;
         token_generation = cells[cell].generation
       };
       CRASH;
       taken++
    fi;
    CRASH;
    d_step { /* ring_unlist */
      if
      :: found -> returned = returned & ~(1 << cell)
      :: else ->
         listed--;
         do
         :: c < listed -> ring[c] = ring[c + 1]; c++
         :: else -> break
         od;
         ring[c] = 0;
         c = 0
      fi;
      found = 0
    }
  };
  if
  :: op == LEASE -> cell = 0
  :: else -> token_message = 0; goto room
  fi;
  ring_unlock(C)
  SECTION_END;
  ring_wake_on();
  goto begin;

delivery_ends:
  SECTION
  atomic {
    assert(lock_owner[C] == me + 1);
    /* current: the generation alone is enough, although C compares the whole word and the number. */
    found = cells[token_cell].state == TAKEN && cells[token_cell].owner == me &&
            (cells[token_cell].generation == token_generation || MUTANT == NO_GENERATION);
    cell = token_cell;
    if
    :: found -> /* its delivery is the last one, and not over */
       assert(handed[token_message] == token_delivery && !gone[token_message]);
       assert(cells[cell].payload == token_message + 1)
    :: else -> assert(expiries > 0) /* only a lease that ran out is taken from the living */
    fi;
    token_cell = NONE;
    token_generation = 0;
    token_delivery = 0;
    if
    :: !found -> token_message = 0; cell = 0
    :: found && op == ACK -> /* ring_end_success */
       CRASH;
       taken--;
       CRASH;
       d_step {
         cells[cell].state = FREE;
         cells[cell].owner = 0;
         cells[cell].payload = 0;
         gone[token_message] = 1
       };
       token_message = 0;
       found = 0;
       goto room
    :: found && op == NACK -> /* ring_give_back */
       CRASH;
       taken--;
       CRASH;
       d_step { cells[cell].state = READY; cells[cell].owner = 0; cells[cell].generation++ };
       CRASH;
       returned = returned | (1 << cell);
       token_message = 0;
       cell = 0
    fi
  };
  ring_unlock(C)
  SECTION_END;
  if
  :: found -> found = 0; ring_wake(ITEMS)
  :: else
  fi;
  goto begin;

room: /* ring_room_publish: whoever sees it done finds the cell */
  atomic {
    CRASH;
    assert(lock_owner[C] == me + 1);
    if
    :: MUTANT == DONE_BEFORE_FREE -> done++
    :: else -> free = free | (1 << cell)
    fi
  };
  SECTION
  atomic {
    CRASH;
    if
    :: MUTANT == DONE_BEFORE_FREE -> free = free | (1 << cell)
    :: else -> done++
    fi;
    cell = 0
  };
  ring_unlock(C)
  SECTION_END;
  ring_wake(SPACE);
  if
  :: op == GET -> ring_wake_on()
  :: else
  fi;
  goto begin;

nothing: /* ring_retry */
  SECTION
  ring_unlock(C);
  if
  :: kept_cell != NONE -> goto use_kept
  :: else
  fi;
  if
  :: !second_look && MUTANT != ARM_AFTER_LOOK -> second_look = 1; arm(ITEMS); goto attempt
  :: !second_look && MUTANT == ARM_AFTER_LOOK -> second_look = 1; goto attempt
  :: second_look && MUTANT == ARM_AFTER_LOOK -> second_look = 0; arm(ITEMS)
  :: second_look && MUTANT != ARM_AFTER_LOOK
  fi;
  atomic { /* FUTEX_WAIT */
    if
    :: fresh[me] -> asleep[me] = AT_PLACE + ITEMS; fresh[me] = 0
    :: else
    fi
  }
  SECTION_END;
  atomic {
    if
    :: asleep[me] == 0
    :: MUTANT != UNBOUNDED_WAIT && BOUND(SOMEBODY_DEAD) -> asleep[me] = 0; asked_by = WAIT; goto recover
    :: MUTANT != UNBOUNDED_WAIT && BOUND(MAYBE_READY) -> asleep[me] = 0
    :: DRAINED -> asleep[me] = 0; goto over
    :: leaves < LEAVES -> asleep[me] = 0; leaves++; goto leave
    :: MAY_DIE -> goto dies
    fi
  };
awake:
  SECTION
  if
  :: MUTANT != ARM_AFTER_LOOK -> arm(ITEMS)
  :: else
  fi;
  goto attempt
  SECTION_END;

recover:
  ring_recover();
  atomic {
    if
    :: asked_by == WAIT -> asked_by = 0; goto awake
    :: else -> goto attempt
    fi
  };

leave: /* ipckit_queue_disarm: a wake-up that was meant for us reaches another one */
  if
  :: MUTANT != LEAVE_WITHOUT_DISARM ->
     atomic { CRASH; found = MAYBE_READY };
     if
     :: found -> found = 0; ring_wake(ITEMS)
     :: else
     fi
  :: else
  fi;
  goto over;

dies:
  atomic {
    alive[me] = 0;
    crashes++;
    asleep[me] = 0;
    same[me] = 0;
    fresh[me] = 0;
    goto ended
  };
over:
  audit();
ended:
  skip;
  d_step {
    result = 0; was = 0; woken = 0; seen = 0; i = 0; c = 0; lost = 0; cell = 0; op = 0; asked_by = 0;
    slow = 0; producers_dead = 0; consumers_dead = 0; second_look = 0; found = 0;
    token_cell = 0; token_generation = 0; token_message = 0; token_delivery = 0;
    kept_cell = 0; kept_generation = 0; kept_message = 0; kept_delivery = 0
  }
}

init {
  atomic {
    byte slot = 0;
    free = ALL_CELLS;
    do
    :: slot < PEOPLE -> alive[slot] = 1; used[slot] = 1; running[slot] = 1; slot++
    :: else -> break
    od;
    slot = 0;
    do
    :: slot < PRODUCERS ->
       run producer(slot, slot * MESSAGES + (slot > 0 -> UNEVEN : 0), MESSAGES + (slot == 0 -> UNEVEN : 0));
       slot++
    :: slot >= PRODUCERS && slot < PEOPLE -> run consumer(slot); slot++
    :: else -> break
    od;
    slot = 0
  }
}
