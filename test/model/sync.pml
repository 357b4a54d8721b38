/* The protocols of native/sync, for spin(1): people who use one object and may die at any step, also in a repair,
 * and survivors who go on; .ci/lanes/model.sh checks every interleaving, and that each mutant below is refuted. The
 * steps carry the names of the C functions that they model. OBJECT chooses one:
 *
 *   LOCK       the lock of one word (mutex.c): sleepers, wake-ups, dead owners, and that the next holder is told
 *   SEMAPHORE  what is done under the guard, its commit and its repair (semaphore.c, waiters.c, repair.c)
 *   CONDITION  notices, and how one is passed on when who was notified is dead (condition.c)
 *   BARRIER    the journal: what ends a wait for one ends it for all, and alike (barrier.c)
 *
 * What is in it: each store that others can see is a step, with a death before it. What is not: reordering by the
 * processor (each step here is sequentially consistent), and how one sleeps at the guard, which is the lock of
 * queue.pml. Newcomers may line up instead of trying at once, which is all that the line of the starving does.
 * Time is not in it either: a bound passes only after a death, and only when that changes something.
 *
 * What must hold, as assertions: never two inside; the next holder is told of a death exactly when the last one
 * died while it held; permits and notices are neither lost nor doubled; a round ends alike for all. And that every
 * survivor comes through: a state in which one cannot go on is an invalid end state.
 */

#define LOCK 1
#define SEMAPHORE 2
#define CONDITION 3
#define BARRIER 4
#ifndef OBJECT
#define OBJECT LOCK
#endif
#ifndef PEOPLE
#define PEOPLE 3
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef ROUNDS
#define ROUNDS 1 /* how often each acquires */
#endif
#ifndef LEAVES
#define LEAVES 0 /* how many give up waiting */
#endif
#ifndef PERMITS
#define PERMITS 1
#endif
#ifndef JOINED
#define JOINED 0 /* condition: the waiters are there from the beginning, the second one the longest */
#endif
#ifndef NOTICES
#define NOTICES 1
#endif

/* Mutants: names for -D, 0 when they are not wanted. */
#ifndef MUTANT
#define MUTANT 0
#endif
#define NOTE_AFTER_FREE 1      /* sync_mutex_repair: frees the lock, then notes the death */
#define FORGET_BEFORE_TAKE 2   /* sync_mutex_try: takes the notice of a death before it has the lock */
#define RELEASE_WITHOUT_WAKE 3 /* give_back: does not look at the sleepers */
#define TAKE_WITHOUT_BIT 4     /* sync_mutex_try: takes the lock without the bit for other sleepers */
#define UNBOUNDED_SLEEP 5      /* sync_sleep: until it is woken */
#define OWNER_NOT_ASKED 6      /* ask: never */
#define FREE_LIVING 7          /* sync_mutex_repair: does not ask again whether the owner lives */
#define SLEEP_BLINDLY 8        /* futex(2): sleeps whatever the word is */
#define LEAVE_WITHOUT_WAKE 9   /* sync_mutex_cancel: a wake-up goes with who leaves */
#define VALUE_NOT_DERIVED 11   /* sync_semaphore_repair: keeps the free permits as they were */
#define DEAD_KEEP_PERMITS 12   /* sync_semaphore_repair: what the dead hold stays theirs */
#define RELEASE_NOT_ADMITTED 13 /* sync_semaphore_release: notifies nobody */
#define NOT_PASSED_ON 14       /* take_out: the notice of a dead one goes with him */
#define HEIR_NOT_KEPT 15       /* sync_condition_pass_on: a repair of the repair chooses another heir */
#define LEFT_BEFORE_PASSED_ON 16 /* take_out: the place first */
#define PASSING_NOT_FINISHED 17  /* repair_waiters: no finish_passing_on, so an heir may be taken out first */
#define NO_JOURNAL 18          /* sync_barrier_do: a repair does not know what was being done */
#define JOURNAL_CLEARED_FIRST 19 /* carry_out: the journal is empty before everyone was told */
#define DEATH_NOT_BREAKING 20  /* sync_repair: a party's death breaks nothing */

/* The kernel's answer and the word of the slot. */
bool alive[PEOPLE];
bool used[PEOPLE];
byte over; /* who is done, or dead */
byte crashes;
byte leaves;
byte guard; /* slot + 1 */
byte asleep[PEOPLE];

#define LIVES(who) (alive[who] && used[who])
#define MAY_DIE crashes < CRASHES
#define CRASH                                                                                                \
  if                                                                                                         \
  :: MAY_DIE -> goto dies                                                                                    \
  :: true                                                                                                    \
  fi
#define DEAD(who) (!alive[who] && used[who])
#if PEOPLE == 2
#define ANYBODY_DEAD (DEAD(0) || DEAD(1))
#elif PEOPLE == 3
#define ANYBODY_DEAD (DEAD(0) || DEAD(1) || DEAD(2))
#else
#define ANYBODY_DEAD (DEAD(0) || DEAD(1) || DEAD(2) || DEAD(3))
#endif
#define EACH(i, body)                                                                                        \
  i = 0;                                                                                                     \
  do                                                                                                         \
  :: i < PEOPLE -> body; i++                                                                                 \
  :: else -> i = 0; break                                                                                    \
  od

/* FUTEX_WAKE of one, in any order. */
inline futex_wake() {
  if
  :: asleep[0] -> asleep[0] = 0
  :: asleep[1] -> asleep[1] = 0
#if PEOPLE > 2
  :: asleep[2] -> asleep[2] = 0
#endif
#if PEOPLE > 3
  :: asleep[3] -> asleep[3] = 0
#endif
  :: !asleep[0] && !asleep[1] && (PEOPLE < 3 || !asleep[2 % PEOPLE]) && (PEOPLE < 4 || !asleep[3 % PEOPLE])
  fi
}

/* sync_enter: ring_lock_anyway, and the repair when the owner was dead. */
inline sync_enter() {
  atomic {
    if
    :: guard == 0 -> CRASH; inherited = 0
    :: guard != 0 && !LIVES(guard - 1) -> CRASH; inherited = 1
    fi;
    guard = me + 1
  }
  if
  :: inherited -> inherited = 0; sync_repair()
  :: else
  fi
}

inline sync_leave() {
  atomic {
    CRASH;
    assert(guard == me + 1);
    guard = 0
  }
}

/* ring_people_dead, at the beginning of a repair; and at its end those are buried who were dead then. */
inline see_dead() {
  d_step { EACH(i, dead[i] = DEAD(i)) }
}
inline bury() {
  atomic { CRASH; EACH(i, if :: dead[i] -> used[i] = 0; dead[i] = 0 :: else fi) }
}

/* ipckit_sync_sweep, when there is anybody. */
inline sync_sweep() {
  if
  :: ANYBODY_DEAD -> sync_enter(); sync_repair(); sync_leave()
  :: else
  fi
}

#if OBJECT == LOCK
/* ---------------------------------------------------------------------------------------------------------- */
byte owner; /* slot + 1; with the bit for sleepers the word of the lock, which changes in one step */
bool sleepers;
bool died;

/* The ledger. */
byte inside;
bool owed; /* a holder died, and nobody who lives was told */

inline sync_repair() {
  see_dead();
  if
  :: owner != 0 && (!LIVES(owner - 1) || MUTANT == FREE_LIVING) ->
     if
     :: MUTANT != NOTE_AFTER_FREE -> atomic { CRASH; died = 1 } /* sync_note_death */
     :: else
     fi;
     atomic { CRASH; owner = 0; sleepers = 0 }
     if
     :: MUTANT == NOTE_AFTER_FREE -> atomic { CRASH; died = 1 }
     :: else
     fi
  :: else
  fi;
  bury();
  wakes = 1
}

inline ask() {
  if
  :: owner != 0 && owner != me + 1 && !LIVES(owner - 1) && MUTANT != OWNER_NOT_ASKED ->
     sync_enter();
     sync_repair();
     sync_leave();
     if
     :: wakes -> atomic { CRASH; wakes = 0; futex_wake() }
     :: else
     fi
  :: else
  fi
}

proctype person(byte me) {
  byte rounds, seen, i;
  bool was, told, wakes, inherited, dead[PEOPLE];
  do
  :: rounds == ROUNDS -> goto done
  :: rounds < ROUNDS ->
     /* sync_mutex_begin */
     if
     :: atomic { owner == 0 -> CRASH; owner = me + 1; sleepers = 0; goto taken }
     :: owner != 0
     :: true /* the line is closed */
     fi;
again:
     ask();
     /* sync_mutex_try */
     if
     :: MUTANT == FORGET_BEFORE_TAKE -> atomic { CRASH; told = told || died; died = 0 }
     :: else
     fi;
     atomic {
       if
       :: owner == 0 ->
          CRASH;
          owner = me + 1;
          sleepers = (MUTANT != TAKE_WITHOUT_BIT);
          goto taken
       :: else
       fi
     }
     /* sync_mutex_arm */
     atomic {
       if
       :: owner == 0 -> goto again
       :: else -> CRASH; seen = owner; sleepers = 1
       fi
     }
     atomic { /* FUTEX_WAIT compares the word */
       if
       :: (owner == seen && sleepers) || MUTANT == SLEEP_BLINDLY -> asleep[me] = 1
       :: else
       fi;
       seen = 0
     }
     atomic {
       if
       :: !asleep[me]
       :: asleep[me] && crashes > 0 && MUTANT != UNBOUNDED_SLEEP &&
             (owner == 0 || (!LIVES(owner - 1) && MUTANT != OWNER_NOT_ASKED)) ->
          asleep[me] = 0
       :: leaves < LEAVES -> leaves++; asleep[me] = 0; goto leave
       :: MAY_DIE -> goto dies
       fi
     }
     goto again;
taken:
     if
     :: MUTANT != FORGET_BEFORE_TAKE && died -> told = 1; atomic { CRASH; died = 0 }
     :: else
     fi;
     atomic {
       CRASH;
       assert(inside == 0);
       inside = me + 1;
       assert(told == owed);
       owed = 0;
       told = 0
     }
     /* give_back */
     atomic { CRASH; inside = 0 }
     atomic { CRASH; was = sleepers; owner = 0; sleepers = 0 }
     if
     :: was && MUTANT != RELEASE_WITHOUT_WAKE -> atomic { CRASH; was = 0; futex_wake() }
     :: else -> was = 0
     fi;
     rounds++
  od;
leave: /* sync_mutex_cancel: who was woken and goes wakes another */
  if
  :: MUTANT != LEAVE_WITHOUT_WAKE && owner == 0 -> atomic { CRASH; futex_wake() }
  :: else
  fi;
  goto done;
dies:
  atomic {
    crashes++;
    alive[me] = 0;
    asleep[me] = 0;
    if
    :: inside == me + 1 -> inside = 0
    :: else
    fi;
    if
    :: owner == me + 1 -> owed = 1
    :: else
    fi
  }
done:
  atomic { over++; me = me; seen = 0; i = 0; was = 0; told = 0; wakes = 0; inherited = 0; rounds = 0 }
}

#elif OBJECT == SEMAPHORE
/* ---------------------------------------------------------------------------------------------------------- */
byte value = PERMITS;
byte held[PEOPLE];
bool waits[PEOPLE];    /* it has a place, */
bool notified[PEOPLE]; /* and the state of that */
byte ticket[PEOPLE];
byte tickets;
byte inside;

/* sync_semaphore_admit: the oldest who wait get what is left over by those who were notified and have not come. */
inline admit() {
  d_step {
    left = value;
    EACH(i, if :: waits[i] && notified[i] && left > 0 -> left-- :: else fi);
    best = PEOPLE;
    EACH(i,
         if :: waits[i] && !notified[i] && (best == PEOPLE || ticket[i] < ticket[best % PEOPLE]) -> best = i
            :: else fi)
  }
  if
  :: left > 0 && best < PEOPLE -> atomic { CRASH; notified[best] = 1; woken = best + 1 }
  :: else
  fi;
  d_step { left = 0; best = 0 }
}

inline wake() {
  if
  :: woken != 0 -> atomic { CRASH; asleep[woken - 1] = 0; woken = 0 }
  :: else
  fi
}

inline sync_repair() {
  see_dead();
  i = 0;
  do
  :: atomic {
       i < PEOPLE ->
       if
       :: (dead[i] || !used[i]) && held[i] != 0 && MUTANT != DEAD_KEEP_PERMITS -> CRASH; held[i] = 0
       :: else
       fi;
       i++
     }
  :: else -> i = 0; break
  od;
  if
  :: MUTANT != VALUE_NOT_DERIVED ->
     atomic { CRASH; left = 0; EACH(i, left = left + held[i]); value = PERMITS - left; left = 0 }
  :: else
  fi;
  do
  :: atomic {
       i < PEOPLE ->
       if
       :: waits[i] && !LIVES(i) -> CRASH; waits[i] = 0
       :: else
       fi;
       i++
     }
  :: else -> i = 0; break
  od;
  admit();
  bury()
}

proctype person(byte me) {
  byte rounds, left, best, woken, i;
  bool inherited, dead[PEOPLE];
  do
  :: rounds == ROUNDS -> goto done
  :: rounds < ROUNDS ->
     /* room_begin */
     sync_enter();
     if
     :: value > 0 ->
        atomic { CRASH; value-- }
        atomic { CRASH; held[me]++ }
        sync_leave();
        wake();
        goto taken
     :: else
     fi;
     atomic { CRASH; tickets++; ticket[me] = tickets; notified[me] = 0; waits[me] = 1 } /* sync_join */
     sync_leave();
     wake();
again:
     atomic { /* FUTEX_WAIT compares the word */
       if
       :: waits[me] && !notified[me] -> asleep[me] = 1
       :: else
       fi
     }
     atomic {
       if
       :: !asleep[me]
       :: asleep[me] && crashes > 0 && MUTANT != UNBOUNDED_SLEEP && (ANYBODY_DEAD || notified[me] || value > 0) ->
          asleep[me] = 0
       :: MAY_DIE -> goto dies
       fi
     }
     sync_sweep();
     wake();
     /* room_try */
     sync_enter();
     if
     :: value > 0 ->
        atomic { CRASH; value-- }
        atomic { CRASH; held[me]++ }
        atomic { CRASH; waits[me] = 0 }
        admit();
        sync_leave();
        wake();
        goto taken
     :: else
     fi;
     atomic { CRASH; notified[me] = 0 }
     sync_leave();
     wake();
     goto again;
taken:
     atomic { inside++; assert(inside <= PERMITS) }
     atomic { CRASH; inside-- }
     /* sync_semaphore_release */
     sync_enter();
     atomic { CRASH; held[me]-- }
     atomic { CRASH; value++ }
     if
     :: MUTANT != RELEASE_NOT_ADMITTED -> admit()
     :: else
     fi;
     sync_leave();
     wake();
     rounds++
  od;
dies:
  atomic {
    crashes++;
    alive[me] = 0;
    asleep[me] = 0;
    if
    :: held[me] > 0 && inside > 0 && !waits[me] && guard != me + 1 -> inside--
    :: else
    fi
  }
done:
  atomic { over++; i = 0; left = 0; best = 0; woken = 0; inherited = 0; rounds = 0 }
}
#endif

#if OBJECT == CONDITION
/* ---------------------------------------------------------------------------------------------------------- */
/* The last person notifies, the others wait once each. The place of a waiter has its own number, whatever the order
 * in which they came. */
bool waits[PEOPLE];
bool notified[PEOPLE];
byte ticket[PEOPLE];
byte heir[PEOPLE]; /* ticket */
byte tickets;

/* The ledger. */
byte given; /* notices, less those that nobody was there to inherit */
byte got;   /* left its place with one */

inline oldest(alive_only) {
  best = PEOPLE;
  EACH(i,
       if :: waits[i] && !notified[i] && (!(alive_only) || LIVES(i)) &&
             (best == PEOPLE || ticket[i] < ticket[best % PEOPLE]) -> best = i
          :: else fi)
}

/* sync_condition_pass_on, for the place k */
inline pass_on() {
  if
  :: heir[k] == 0 || MUTANT == HEIR_NOT_KEPT ->
     d_step { oldest(1) }
     if
     :: best < PEOPLE ->
        atomic { CRASH; heir[k] = ticket[best] }
        atomic { CRASH; notified[best] = 1; woken[best] = 1 }
     :: else -> drops = 1 /* nobody waits */
     fi
  :: else ->
     d_step { best = PEOPLE; EACH(i, if :: waits[i] && !notified[i] && ticket[i] == heir[k] -> best = i :: else fi) }
     if
     :: best < PEOPLE -> atomic { CRASH; notified[best] = 1; woken[best] = 1 }
     :: else
     fi
  fi;
  best = 0
}

inline sync_repair() {
  see_dead();
  /* finish_passing_on */
  k = 0;
  do
  :: k < PEOPLE ->
     if
     :: MUTANT != PASSING_NOT_FINISHED && waits[k] && notified[k] && heir[k] != 0 -> pass_on()
     :: else
     fi;
     k++
  :: else -> k = 0; break
  od;
  do
  :: k < PEOPLE ->
     if
     :: waits[k] && !LIVES(k) -> /* take_out */
        if
        :: MUTANT == LEFT_BEFORE_PASSED_ON -> atomic { CRASH; waits[k] = 0 }
        :: else
        fi;
        if
        :: notified[k] && MUTANT != NOT_PASSED_ON -> pass_on()
        :: else
        fi;
        atomic { CRASH; waits[k] = 0; given = given - drops; drops = 0 }
     :: else
     fi;
     k++
  :: else -> k = 0; break
  od;
  bury()
}

inline wake() {
  atomic { CRASH; EACH(i, if :: woken[i] -> asleep[i] = 0; woken[i] = 0 :: else fi) }
}

proctype person(byte me) {
  byte k, best, i;
  bool inherited, drops, dead[PEOPLE], woken[PEOPLE];
  if
  :: JOINED -> goto again
  :: else
  fi;
  sync_enter();
  atomic { CRASH; tickets++; ticket[me] = tickets; notified[me] = 0; heir[me] = 0; waits[me] = 1 } /* sync_join */
  sync_leave();
  wake();
again:
  atomic {
    if
    :: !notified[me] -> asleep[me] = 1
    :: else
    fi
  }
endwait: /* who is not notified waits on */
  atomic {
    if
    :: !asleep[me]
    :: asleep[me] && crashes > 0 && MUTANT != UNBOUNDED_SLEEP && (ANYBODY_DEAD || notified[me]) -> asleep[me] = 0
    :: MAY_DIE && asleep[me] -> goto dies
    fi
  }
  sync_sweep();
  wake();
  if
  :: !notified[me] -> goto again
  :: else
  fi;
  /* place_try */
  sync_enter();
  atomic { CRASH; waits[me] = 0; got++; assert(got <= given) }
  sync_leave();
  wake();
  goto done;
dies:
  atomic { crashes++; alive[me] = 0; asleep[me] = 0 }
done:
  atomic { over++; k = 0; best = 0; i = 0; inherited = 0; drops = 0 }
}

/* ipckit_condition_notify */
proctype notifier(byte me) {
  byte k, best, i, count;
  bool inherited, drops, dead[PEOPLE], woken[PEOPLE];
  do
  :: count == NOTICES -> goto done
  :: count < NOTICES ->
     sync_enter();
     d_step { oldest(1) }
     if
     :: best < PEOPLE -> atomic { CRASH; notified[best] = 1; woken[best] = 1; given++ }
     :: else
     fi;
     best = 0;
     sync_leave();
     wake();
     count++
  od;
dies:
  atomic { crashes++; alive[me] = 0; asleep[me] = 0 }
done:
  atomic { over++; k = 0; best = 0; i = 0; inherited = 0; drops = 0; count = 0 }
}

#elif OBJECT == BARRIER
/* ---------------------------------------------------------------------------------------------------------- */
/* Everybody is a party, comes once, and the last one ends the round. */
#define WAITS 1
#define TURN 2
#define PASSED 3
#define BROKEN 4
#define PASSES 1
#define BREAKS 2
byte state[PEOPLE]; /* 0: no place */
byte journal;
bool broken;
bool round_over;

/* The ledger: how the one round ended. */
bool somebody_passed;
bool somebody_broken;

#define COUNT_HERE                                                                                           \
  d_step {                                                                                                   \
    here = 0;                                                                                                \
    EACH(i, if :: state[i] == WAITS || state[i] == TURN -> here++ :: else fi)                                \
  }

inline carry_out() {
  if
  :: journal != 0 ->
     what = journal;
     if
     :: MUTANT == JOURNAL_CLEARED_FIRST -> atomic { CRASH; journal = 0 }
     :: else
     fi;
     k = 0;
     do
     :: atomic {
          k < PEOPLE ->
          if
          :: state[k] == WAITS || state[k] == TURN ->
             CRASH;
             state[k] = (what == PASSES -> PASSED : BROKEN);
             asleep[k] = 0
          :: else
          fi;
          k++
        }
     :: else -> k = 0; break
     od;
     atomic { CRASH; broken = (what == BREAKS) }
     atomic { CRASH; round_over = 1 }
     atomic { CRASH; journal = 0; what = 0 }
  :: else
  fi
}

inline barrier_do(whatever) {
  if
  :: MUTANT != NO_JOURNAL -> atomic { CRASH; journal = whatever }; carry_out()
  :: else ->
     k = 0;
     do
     :: atomic {
          k < PEOPLE ->
          if
          :: state[k] == WAITS || state[k] == TURN ->
             CRASH;
             state[k] = (whatever == PASSES -> PASSED : BROKEN);
             asleep[k] = 0
          :: else
          fi;
          k++
        }
     :: else -> k = 0; break
     od;
     atomic { CRASH; broken = (whatever == BREAKS); round_over = 1 }
  fi
}

inline sync_repair() {
  see_dead();
  carry_out();
  d_step { party_died = 0; EACH(i, party_died = party_died || dead[i]) }
  if
  :: party_died && MUTANT != DEATH_NOT_BREAKING -> barrier_do(BREAKS)
  :: else
  fi;
  party_died = 0;
  do
  :: atomic {
       k < PEOPLE ->
       if
       :: state[k] != 0 && !LIVES(k) -> CRASH; state[k] = 0
       :: else
       fi;
       k++
     }
  :: else -> k = 0; break
  od;
  bury()
}

proctype person(byte me) {
  byte k, i, here, what, mine;
  bool inherited, party_died, dead[PEOPLE];
  /* sync_barrier_begin */
  sync_enter();
  if
  :: broken -> sync_leave(); goto done
  :: else
  fi;
  atomic { CRASH; state[me] = WAITS }
  COUNT_HERE;
  if
  :: here == PEOPLE -> atomic { CRASH; state[me] = TURN }
  :: else
  fi;
  here = 0;
  sync_leave();
  do
  :: state[me] == TURN -> /* ipckit_barrier_action_done */
     sync_enter();
     if
     :: state[me] == TURN -> barrier_do(PASSES)
     :: else
     fi;
     sync_leave()
  :: state[me] == WAITS ->
     atomic {
       if
       :: state[me] == WAITS -> asleep[me] = 1
       :: else
       fi
     }
     atomic {
       if
       :: !asleep[me]
       :: asleep[me] && crashes > 0 && MUTANT != UNBOUNDED_SLEEP && (ANYBODY_DEAD || state[me] != WAITS) ->
          asleep[me] = 0
       :: leaves < LEAVES && asleep[me] -> leaves++; asleep[me] = 0; goto cancels
       :: MAY_DIE && asleep[me] -> goto dies
       fi
     }
     sync_sweep()
  :: state[me] == PASSED || state[me] == BROKEN -> break
  od;
  goto end_place;
cancels: /* place_cancel */
  sync_enter();
  if
  :: state[me] == WAITS || state[me] == TURN -> barrier_do(BREAKS)
  :: else
  fi;
  sync_leave();
end_place:
  sync_enter();
  atomic {
    CRASH;
    mine = state[me];
    state[me] = 0;
    somebody_passed = somebody_passed || mine == PASSED;
    somebody_broken = somebody_broken || mine == BROKEN;
    /* One round: whoever passed, nobody was told that it broke. */
    assert(!(somebody_passed && somebody_broken));
    mine = 0
  }
  sync_leave();
  goto done;
dies:
  atomic { crashes++; alive[me] = 0; asleep[me] = 0 }
done:
  atomic { over++; k = 0; i = 0; here = 0; what = 0; mine = 0; inherited = 0; party_died = 0 }
}
#endif

/* Who comes when all the others are done or dead, and finds everything as it should be. */
init {
  byte i;
  atomic {
    EACH(i, alive[i] = 1; used[i] = 1);
#if OBJECT == CONDITION
    i = 0;
    do
    :: i < PEOPLE - 1 && JOINED -> waits[i] = 1; ticket[i] = (i < 2 -> 2 - i : i + 1); run person(i); i++
    :: i < PEOPLE - 1 && !JOINED -> run person(i); i++
    :: else -> break
    od;
    run notifier(PEOPLE - 1)
#else
    i = 0;
    do
    :: i < PEOPLE -> run person(i); i++
    :: else -> break
    od
#endif
  }
#if OBJECT == CONDITION
  /* Nobody can do anything any more. Who waits on was not notified: no notice was lost. */
  timeout;
  byte waiting;
  EACH(i, if :: alive[i] && waits[i] -> waiting++; assert(!notified[i]) :: else fi);
  assert(waiting == 0 || got == given)
#else
  over == PEOPLE;
#if OBJECT == LOCK
  assert(inside == 0);
  if
  :: owner != 0 -> assert(!alive[owner - 1] && owed)
  :: owner == 0 -> assert(owed == died)
  fi
#elif OBJECT == SEMAPHORE
  EACH(i, if :: alive[i] -> assert(held[i] == 0 && !waits[i]) :: else fi);
  if
  :: crashes == 0 -> assert(value == PERMITS)
  :: else
  fi
#else
  EACH(i, if :: alive[i] -> assert(state[i] == 0) :: else fi)
#endif
#endif
}
