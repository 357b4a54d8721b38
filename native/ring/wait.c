// Waiting: arm, look again, sleep for a bounded while; and waking, which costs a system call only when
// somebody is armed. A wake-up that a dying waiter swallowed is made good by the bound, by whoever recovers,
// and by every getter that leaves something behind.
#include "queue.h"
#include "shared/spin.h"

// No sleep is longer: then we look for the dead.
#define SLEEP_BOUND (100 * RING_MILLISECOND)
// Polling reads the clock after so many looks.
#define CLOCK_EVERY 64U
// A putter waits for so much room at a time, and looks for it so often, with so many pauses in between.
#define ROOM_MOST 64U
#define ROOM_LOOKS 40U
#define ROOM_PAUSES 8U

void ring_wake(ipckit_layout_wait_t* place, int count) {
  // We come from the exchange of ring_unlock, the waiter from its fence in arm: one of us sees the other.
#if !defined(__x86_64__) && !defined(__i386__)
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
  uint32_t armed = __atomic_load_n(&place->armed, __ATOMIC_SEQ_CST);
  if (__builtin_expect(armed == 0, 1)) return;
  // Whoever armed before this and does not sleep yet will not, since the event differs from what it saw.
  __atomic_fetch_add(&place->event, 2, __ATOMIC_SEQ_CST);
  // Fewer sleepers than wanted: nobody is left. Who armed since then did so with another event, and stays
  // armed.
  if (ring_futex_wake(&place->event, count) < count) {
    __atomic_compare_exchange_n(&place->armed, &armed, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
  }
}

void ring_wake_space(ring_queue* q, int count) {
  ipckit_layout_wait_t* space = &q->h->space;
  if (__builtin_expect(ring_load(&space->armed_large) != 0, 0)) {
    // What is enough for one is not for another, so everyone looks.
    ring_store(&space->armed_large, 0);
    count = INT_MAX;
  }
  ring_wake(space, count);
}

static bool nothing_pending(ring_queue* q) {
  uint64_t done = ring_load_acquire(&q->h->done);
  return ring_load_acquire(&q->h->next_seq) - 1 == done;
}

void ring_wake_tasks(ring_queue* q) {
  if (__builtin_expect(ring_load(&q->h->tasks.armed) == 0, 1)) return;
  if (nothing_pending(q)) ring_wake(&q->h->tasks, INT_MAX);
}

void ring_wake_on(ring_queue* q) {
  if (__builtin_expect(ring_load(&q->h->items.armed) == 0, 1)) return;
  if (ring_maybe_ready(q)) ring_wake(&q->h->items, 1);
}

static ipckit_layout_wait_t* place_of(ring_queue* q, uint32_t interest) {
  if (interest == IPCKIT_WAIT_ITEMS) return &q->h->items;
  return interest == IPCKIT_WAIT_SPACE ? &q->h->space : &q->h->tasks;
}

// Room for so many messages, of which one has the length.
static bool maybe_room(ring_queue* q, uint32_t messages, uint64_t length) {
  ipckit_layout_header_t* h = q->h;
  if (ring_load(&h->state) != IPCKIT_STATE_OPEN) return true;
  const uint64_t done = ring_load_acquire(&h->done);
  const uint64_t used = ring_load(&h->next_seq) - 1 - done + ring_load(&h->writing);
  if (used + messages > q->g.capacity) return false;
  return ring_load_acquire(&h->block_tail) - ring_load(&h->block_head) >= ring_blocks_of(q, length);
}

// A hint, without locks. `length`: of the message for which there should be room.
static bool maybe(ring_queue* q, uint32_t interest, uint64_t length) {
  if (ring_load(&q->map.lost)) return true;
  if (interest == IPCKIT_WAIT_ITEMS) return ring_maybe_ready(q) || ring_load(&q->h->state) == 0;
  if (interest == IPCKIT_WAIT_SPACE) return maybe_room(q, 1, length);
  return nothing_pending(q) || ring_load(&q->h->state) >= IPCKIT_STATE_STOPPED;
}

// Announces a wait and returns the event to sleep on.
static uint32_t arm(ipckit_layout_wait_t* place, bool large) {
  uint32_t event = __atomic_load_n(&place->event, __ATOMIC_SEQ_CST);
  if (large) ring_store(&place->armed_large, 1);
  __atomic_store_n(&place->armed, event | 1, __ATOMIC_SEQ_CST);
  // Pairs with the exchange in ring_unlock: either we see what was published, or the publisher sees us armed.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return event;
}

static int64_t bound(ring_queue* q, uint32_t interest, int64_t now, int64_t end) {
  int64_t ns = end - now < SLEEP_BOUND ? end - now : SLEEP_BOUND;
  if (interest & IPCKIT_WAIT_ITEMS) {
    // Compared and not subtracted first: a time in the file may be any number.
    const int64_t due = ring_next_due(q), soon = now + RING_MILLISECOND / 20;
    if (due < now + ns) ns = (due < soon ? soon : due) - now;
  }
  return ns;
}

static void pauses(uint32_t count) {
  while (count-- > 0) ring_pause();
}

// Whoever follows at the heels of the other end takes its lines away with every message, which costs both of
// them more than the message. So a getter lets the producers put some more before it looks, where that is how
// they come, and a putter lets the consumers make room for many, for a few microseconds.
static void keep_distance(ring_queue* q, uint32_t interest, uint64_t length) {
  if (interest == IPCKIT_WAIT_ITEMS) pauses(ring_load(&q->lead));
  if (interest != IPCKIT_WAIT_SPACE || ring_blocks_of(q, length) > 0) return;
  const uint32_t enough = q->g.capacity / 4 < ROOM_MOST ? q->g.capacity / 4 : ROOM_MOST;
  for (uint32_t look = 0; look < ROOM_LOOKS && !maybe_room(q, enough, 0); look++) pauses(ROOM_PAUSES);
}

// How often to look before a sleep; learned.
static uint32_t* looks_at(ring_queue* q, uint32_t interest) { return &q->spins[interest >> 1]; }

// Polls for a while, at most until then; 1 when a try may succeed, 0 when not, -EBUSY when polling does not
// pay at present. Learns whether it does.
static int poll(ring_queue* q, uint32_t interest, uint64_t length, int64_t end) {
  uint32_t* learned = looks_at(q, interest);
  const uint32_t spins = ring_spins(ring_load(learned));
  if (spins > 0) keep_distance(q, interest, length);
  for (uint32_t i = 0; i < spins && (i % CLOCK_EVERY != CLOCK_EVERY - 1 || ring_now() < end); i++) {
    if (maybe(q, interest, length)) {
      // What was there already says nothing about polling.
      if (i > 0) ring_store(learned, ring_spins_paid(spins));
      // One at a time is a conversation, or a slow stream: the next is looked for at once.
      if (interest == IPCKIT_WAIT_ITEMS && !ring_came_together(q))
        ring_store(&q->lead, ring_load(&q->lead) / 2);
      return 1;
    }
    ring_pause();
  }
  ring_store(learned, ring_spins_lost(ring_load(learned)));
  return spins > 0 ? 0 : -EBUSY;
}

int64_t ring_retry(ring_queue* q, uint32_t interest, uint64_t length, int64_t timeout_ns,
                   ring_attempt attempt, void* context) {
  int64_t result = attempt(q, context);
  if (result != -EAGAIN || timeout_ns == 0) return result;
  int64_t now = ring_now();
  const int64_t end = ring_after(now, timeout_ns);
  ipckit_layout_wait_t* place = place_of(q, interest);
  for (;;) {
    if (poll(q, interest, length, end) == 1) {
      result = attempt(q, context);
      if (result != -EAGAIN) return result;
    }
    uint32_t event = arm(place, ring_blocks_of(q, length) > 0);
    result = attempt(q, context);
    if (result != -EAGAIN) return result;
    now = ring_now();
    if (now >= end) break;
    int slept = ring_futex_wait(&place->event, event, bound(q, interest, now, end));
    if (slept == -ETIMEDOUT) ring_look_around(q, true);
  }
  // A wake-up may have been meant for us; another waiter gets it.
  if (maybe(q, interest, length)) ring_wake(place, 1);
  return -ETIMEDOUT;
}

int ipckit_queue_poll(ipckit_queue_t* q, uint32_t interest, uint64_t length, int64_t longest_ns) {
  const int result = ring_usable(q);
  if (result < 0) return result;
  if ((interest != IPCKIT_WAIT_ITEMS && interest != IPCKIT_WAIT_SPACE) || longest_ns < 0) return -EINVAL;
  // The clock costs as much as a look, and has nothing to bound where there will be none.
  const bool looks = ring_spins(ring_load(looks_at(q, interest))) > 0;
  return poll(q, interest, length, looks ? ring_after(ring_now(), longest_ns) : 0);
}

int ipckit_queue_arm(ipckit_queue_t* q, uint32_t interest, uint64_t length,
                     ipckit_wait_word_t words[IPCKIT_WAIT_WORDS], int64_t* bound_ns) {
  int result = ring_usable(q);
  if (result < 0) return result;
  if (interest == 0 || (interest & ~7U) != 0) return -EINVAL;
  int count = 0;
  for (uint32_t one = IPCKIT_WAIT_ITEMS; one <= IPCKIT_WAIT_TASKS; one <<= 1) {
    if (!(interest & one)) continue;
    ipckit_layout_wait_t* place = place_of(q, one);
    words[count].address = &place->event;
    words[count].expected = arm(place, one == IPCKIT_WAIT_SPACE && ring_blocks_of(q, length) > 0);
    count++;
  }
  for (uint32_t one = IPCKIT_WAIT_ITEMS; one <= IPCKIT_WAIT_TASKS; one <<= 1) {
    if ((interest & one) && maybe(q, one, length)) return 0;
  }
  const int64_t now = ring_now();
  // What is due is listed by the next try, and by nothing else.
  if ((interest & IPCKIT_WAIT_ITEMS) && ring_next_due(q) <= now) return 0;
  *bound_ns = bound(q, interest, now, INT64_MAX);
  return count;
}

int ipckit_queue_disarm(ipckit_queue_t* q, uint32_t interest) {
  int result = ring_usable(q);
  if (result < 0) return result;
  for (uint32_t one = IPCKIT_WAIT_ITEMS; one <= IPCKIT_WAIT_TASKS; one <<= 1) {
    if ((interest & one) && maybe(q, one, 0))
      ring_wake(place_of(q, one), one == IPCKIT_WAIT_TASKS ? INT_MAX : 1);
  }
  return 0;
}
