// See sync_auditor.h.
#include "sync_auditor.h"

#include <unistd.h>

int64_t slowest;
unsigned long above_250, tells, passed_on;

static int64_t died_at;

// The victim and what it owned.
static uint32_t tag_of(const tracee* victim) {
  for (uint32_t slot = 0; slot < survivor->g.participants; slot++) {
    uint32_t epoch;
    if (ring_load(&survivor->people.table[slot].pid) != (uint32_t)victim->pid) continue;
    if (ring_people_used(&survivor->people, slot, &epoch)) return ring_tag(slot, epoch);
  }
  return 0;
}

static pid_t told_by_next(const scene* sc, const tracee* victim, uint32_t owner) {
  const ipckit_layout_sync_header_t* h = survivor->h;
  const uint32_t mine = on_stage->victims[0].tag, dead = on_stage->dead_tag;
  const bool held = owner != 0 && owner == mine;
  if (held && !victim->at->began && !sc->held_before) complain("held before it began", owner, mine);
  if (held && victim->at->returned && !sc->held_after) complain("still held at its end", owner, mine);
  if (!held && victim->at->returned && sc->held_after) complain("not held at its end", owner, mine);
  if (held) return victim->pid;
  if (owner != 0 && owner == dead) return on_stage->dead_pid;
  if (ring_load(&h->died) == IPCKIT_DIED_UNTOLD) return on_stage->dead_pid;
  const uint32_t told = ring_load(&h->told);
  if (ring_load(&h->died) == IPCKIT_DIED_TOLD && (told == mine || told == dead)) return on_stage->dead_pid;
  return 0;
}

static ipckit_layout_waiter_t* place_of(uint32_t tag) {
  for (uint32_t i = 0; tag != 0 && i < survivor->g.waiters; i++) {
    if (ring_load_acquire(&survivor->waiters[i].owner) == tag) return &survivor->waiters[i];
  }
  return NULL;
}

static uint32_t tag_of_sleeper(const sleeper* one) {
  const tracee it = {.pid = one->pid};
  return tag_of(&it);
}

static void expect_notices(facts* f, uint32_t victim) {
  int living = 0;
  for (int i = 0; i < MOST_SLEEPERS; i++) {
    const sleeper* one = &on_stage->sleepers[i];
    if (one->pid == 0 || one->operation != IPCKIT_WAIT_CONDITION) continue;
    living++;
    const ipckit_layout_waiter_t* place = place_of(tag_of_sleeper(one));
    f->through += place == NULL || sync_state_of(place) != IPCKIT_WAITER_WAITS;
  }
  const ipckit_layout_waiter_t* place = place_of(victim);
  if (place == NULL || sync_state_of(place) != IPCKIT_WAITER_NOTIFIED || f->through == living) return;
  f->through++;
  passed_on++;
}

static void expect_outcomes(const scene* sc, facts* f, uint32_t victim) {
  const ipckit_layout_sync_header_t* h = survivor->h;
  const uint32_t what = ring_load(&h->journal) & 3, round = ring_load(&h->journal) >> 2;
  const bool party_died = (victim != 0 && !sc->observer) || on_stage->dead_pid != 0;
  f->broken = party_died || what == IPCKIT_BARRIER_BREAKS || (what == 0 && ring_load(&h->broken));
  for (int i = 0; i < MOST_SLEEPERS; i++) {
    const sleeper* one = &on_stage->sleepers[i];
    if (one->pid == 0) continue;
    const ipckit_layout_waiter_t* place = place_of(tag_of_sleeper(one));
    const uint32_t state = place ? sync_state_of(place) : 0;
    if (place == NULL)
      f->results[i] = one->over ? one->result : 2;  // on its way out
    else if (state == IPCKIT_WAITER_PASSED ||
             (what == IPCKIT_BARRIER_PASSES && ring_load(&place->generation) == round))
      f->results[i] = 0;
    else if (state == IPCKIT_WAITER_BROKEN || what != 0 || party_died)
      f->results[i] = IPCKIT_E_BROKEN;
    else
      f->results[i] = 1;
  }
}

facts look_before_death(const scene* sc, const tracee* victim) {
  facts f = {0};
  const ipckit_layout_sync_header_t* h = survivor->h;
  const uint32_t tag = tag_of(victim);
  if (sync_has_mutex(sc->kind)) f.told = told_by_next(sc, victim, ring_load(&h->lock) & ~RING_LOCK_SLEEPERS);
  if (sc->kind == IPCKIT_KIND_RWLOCK) f.told = told_by_next(sc, victim, ring_load(&h->writer));
  if (sc->kind == IPCKIT_KIND_CONDITION) expect_notices(&f, tag);
  if (sc->kind == IPCKIT_KIND_EVENT) f.through = ring_load(&h->event) != 0 ? MOST_SLEEPERS : 0;
  if (sc->kind == IPCKIT_KIND_BARRIER) expect_outcomes(sc, &f, tag);
  f.holders = atomic_load(&on_stage->order);
  return f;
}

// Survivors.
void begin_audit(void) { died_at = ring_now(); }

static void timed(int64_t started) {
  const int64_t took = ring_now() - started;
  if (took > slowest) slowest = took;
  above_250 += took > 250 * RING_MILLISECOND;
  if (took > HARD_BOUND) complain("a survivor waited too long, ms", (long)(took / RING_MILLISECOND), 0);
}

static bool comes_through(sleeper* one) {
  const pid_t pid = one->pid;
  const bool over = await_sleeper(one);
  timed(died_at);
  if (over)
    bury(one);
  else
    kill_sleeper(one);
  if (!over) complain("a sleeper sleeps on", pid, one->operation);
  return over;
}

static ipckit_wait_t get(uint32_t operation, uint32_t count) {
  ipckit_wait_t wait = {.operation = operation, .count = count};
  const int64_t started = ring_now();
  const int result = ipckit_sync_wait(survivor, &wait, HARD_BOUND);
  timed(started);
  if (result != 0) complain("the survivor does not get it", result, operation);
  return wait;
}

static void release_own(void) {
  if (sync_is_semaphore(survivor->g.kind)) {
    const int64_t held = ipckit_sync_holds(survivor, 0);
    if (held > 0) ipckit_sync_release(survivor, 0, (uint32_t)held);
  } else if (survivor->g.kind == IPCKIT_KIND_RWLOCK) {
    const int64_t held = ipckit_sync_holds(survivor, 0);
    if (held & 1) ipckit_sync_release(survivor, 0, 1);
    if (held >> 1) ipckit_sync_release_shared(survivor);
  } else {
    while (ipckit_sync_holds(survivor, 0) > 0) ipckit_sync_release(survivor, 0, 1);
  }
}

// Locks: everybody gets it, one at a time, and one of them is told, the first.
static void audit_lock(const facts* f) {
  int told = 0;
  pid_t whose = 0;
  bool first = false;
  release_own();
  for (int i = 0; i < MOST_SLEEPERS; i++) {
    sleeper* one = &on_stage->sleepers[i];
    if (one->pid == 0 || (one->operation != IPCKIT_ACQUIRE && one->operation != IPCKIT_ACQUIRE_SHARED))
      continue;
    if (!comes_through(one)) continue;
    if (one->result != 0) complain("a sleeper's wait failed", one->result, one->operation);
    if (!one->owner_died) continue;
    told++;
    whose = (pid_t)one->dead_pid;
    first = one->order == f->holders || survivor->g.kind == IPCKIT_KIND_RWLOCK;
  }
  const ipckit_wait_t wait = get(IPCKIT_ACQUIRE, 0);
  visit(false);
  if (wait.owner_died) {
    told++;
    whose = (pid_t)wait.dead_pid;
    first = atomic_load(&on_stage->order) == f->holders;
  }
  if (told != (f->told != 0)) complain("told of deaths, and should have been", told, f->told != 0);
  if (told == 1 && !first) complain("not the first holder was told", whose, 0);
  if (told == 1 && whose != f->told) complain("told of another's death", whose, f->told);
  tells += (unsigned long)told;
  release_own();
  if (get(IPCKIT_ACQUIRE, 0).owner_died) complain("told twice", 0, 0);
  release_own();
}

static void audit_semaphore(const scene* sc) {
  release_own();
  for (int i = 0; i < MOST_SLEEPERS; i++) {
    sleeper* one = &on_stage->sleepers[i];
    if (one->pid != 0 && comes_through(one) && one->result != 0) complain("a sleeper got", one->result, 0);
  }
  get(IPCKIT_ACQUIRE, sc->value);
  ipckit_wait_t more = {.operation = IPCKIT_ACQUIRE};
  if (ipckit_sync_wait(survivor, &more, 0) != -EAGAIN) complain("a permit too many", sc->value, 0);
  release_own();
  const uint32_t value = ring_load(&survivor->h->value), total = ring_load(&survivor->h->total);
  if (value != sc->value || total != sc->value) complain("permits", value, total);
  if (sc->kind == IPCKIT_KIND_BOUNDED_SEMAPHORE && ipckit_sync_release(survivor, 0, 1) != IPCKIT_E_BOUND)
    complain("released above the bound", value, total);
}

static int over(void) {
  int count = 0;
  for (int i = 0; i < MOST_SLEEPERS; i++)
    count += on_stage->sleepers[i].pid != 0 && on_stage->sleepers[i].over;
  return count;
}

static int asleep(void) {
  int count = 0;
  for (int i = 0; i < MOST_SLEEPERS; i++) count += on_stage->sleepers[i].pid != 0;
  return count;
}

static void bury_all(void) {
  for (int i = 0; i < MOST_SLEEPERS; i++) {
    sleeper* one = &on_stage->sleepers[i];
    if (one->pid != 0 && comes_through(one) && one->result != 0) complain("a sleeper got", one->result, 0);
  }
}

// Exactly so many come through by themselves.
static void await_exactly(int count) {
  const int64_t end = ring_now() + HARD_BOUND;
  while (over() < count && ring_now() < end) usleep(20);
  timed(died_at);
  usleep(500);
  if (over() != count) complain("sleepers came through, and should have", over(), count);
}

static void audit_event(const facts* f) {
  const int sleepers = asleep();
  await_exactly(f->through < sleepers ? f->through : sleepers);
  if (ipckit_event_set(survivor) != 0) complain("set", 0, 0);
  died_at = ring_now();
  bury_all();
  get(IPCKIT_WAIT_EVENT, 0);
  if (ipckit_event_is_set(survivor) != 1) complain("not set", 0, 0);
}

static void audit_condition(const facts* f) {
  if (asleep() != 0 && on_stage->sleepers[0].operation == IPCKIT_ACQUIRE) return audit_lock(f);
  const int sleepers = asleep();
  await_exactly(f->through);
  ipckit_sync_sweep(survivor);
  const int notified = ipckit_condition_notify(survivor, 1000);
  if (notified != sleepers - f->through) complain("still waited", notified, sleepers - f->through);
  died_at = ring_now();
  bury_all();
  audit_lock(f);
}

static void go_round(void) {
  ipckit_wait_t wait = {.operation = IPCKIT_WAIT_BARRIER};
  int result = ipckit_sync_begin(survivor, &wait);
  if (result != IPCKIT_BARRIER_ACTION) return complain("the last to come has no turn", result, 0);
  result = ipckit_barrier_action_done(survivor, &wait);
  if (result != 0) complain("the action", result, 0);
  died_at = ring_now();
}

static void audit_barrier(const scene* sc, const facts* f) {
  bool wait_on = false;
  for (int i = 0; i < MOST_SLEEPERS; i++) {
    sleeper* one = &on_stage->sleepers[i];
    if (one->pid == 0) continue;
    if (f->results[i] == 1)
      wait_on = true;
    else if (comes_through(one) && f->results[i] != 2 && one->result != f->results[i])
      complain("a party got, and should have", one->result, f->results[i]);
  }
  if (ipckit_sync_sweep(survivor) < 0) complain("sweep", 0, 0);
  ipckit_sync_stat_t stat;
  ipckit_sync_stat(survivor, &stat);
  if ((stat.broken != 0) != f->broken) complain("broken, and should be", stat.broken, f->broken);
  if (stat.broken) {
    ipckit_wait_t wait = {.operation = IPCKIT_WAIT_BARRIER};
    if (ipckit_sync_begin(survivor, &wait) != IPCKIT_E_BROKEN) complain("broken, and entered", 0, 0);
    if (ipckit_barrier_reset(survivor) != 0) complain("reset", 0, 0);
    if (wait_on) complain("broken, and a party waits on", 0, 0);
  } else if (wait_on) {
    while (asleep() < (int)sc->value - 1) put_to_sleep(IPCKIT_WAIT_BARRIER);
    go_round();
    bury_all();
  }
  // A round of everybody.
  uint32_t seen = 0;
  while (asleep() < (int)sc->value - 1) put_to_sleep(IPCKIT_WAIT_BARRIER);
  const int parties = asleep();
  go_round();
  bury_all();
  for (int i = 0; i < parties; i++) seen |= 1U << on_stage->sleepers[i].index;
  if (seen != (1U << parties) - 1) complain("numbers of the parties", (long)seen, parties);
}

void audit(const scene* sc, const facts* f, bool sweeps_first) {
  const uint32_t kind = sc->kind;
  make_room();
  if (sweeps_first && ipckit_sync_sweep(survivor) < 0) complain("sweep", 0, 0);
  if (sync_is_semaphore(kind))
    audit_semaphore(sc);
  else if (kind == IPCKIT_KIND_EVENT)
    audit_event(f);
  else if (kind == IPCKIT_KIND_CONDITION)
    audit_condition(f);
  else if (kind == IPCKIT_KIND_BARRIER)
    audit_barrier(sc, f);
  else
    audit_lock(f);
  // As good as new.
  if (ipckit_sync_sweep(survivor) < 0) complain("sweep", 0, 0);
  ipckit_sync_stat_t stat;
  const int result = ipckit_sync_stat(survivor, &stat);
  if (result != 0) complain(ipckit_strerror(result), result, 0);
  if (stat.participants != 1 || stat.waiters != 0)
    complain("somebody is left", stat.participants, stat.waiters);
  if (ring_load(&survivor->h->high) != 0) complain("a place is left", ring_load(&survivor->h->high), 0);
  if (atomic_load(&on_stage->overlaps) != 0) complain("two held at once", on_stage->overlaps, 0);
  const int sound = ipckit_sync_verify(survivor);
  if (sound != 0) complain(ipckit_strerror(sound), sound, 0);
}
