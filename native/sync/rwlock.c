// Readers and writers. How often each participant reads stands at its place, who writes in one word; the
// number of readers is derived. They go in the order in which they came, readers that came between two
// writers together, so neither side starves the other: who waits to write keeps out readers that come later.
// Somebody who does not look any more, dead or stopped, keeps out nobody.
#include "sync.h"

// Whether somebody who came before must go first. A writer keeps out later readers at once; a writer may
// overtake until somebody starves.
static bool is_overtaking(ipckit_sync* s, uint64_t ticket, bool shared) {
  const uint32_t high = sync_high(s);
  int64_t now = 0;
  for (uint32_t i = 0; i < high; i++) {
    const ipckit_layout_waiter_t* place = &s->waiters[i];
    if (ring_load_acquire(&place->owner) == 0 || ring_load(&place->ticket) >= ticket) continue;
    const bool reads = ring_load(&place->wants) == IPCKIT_WANTS_SHARED;
    if (reads && shared) continue;
    if (now == 0) now = ring_now();
    if ((shared || sync_starves(place, now)) && !sync_is_stale(place, now)) return true;
  }
  return false;
}

bool sync_rwlock_take(ipckit_sync* s, ipckit_wait_t* w, uint64_t ticket) {
  ipckit_layout_sync_header_t* h = s->h;
  const bool shared = w->operation == IPCKIT_ACQUIRE_SHARED;
  const uint32_t readers = ring_load(&h->readers);
  if (ring_load(&h->writer) != 0 || (!shared && readers != 0)) return false;
  if (readers == UINT32_MAX || is_overtaking(s, ticket, shared)) return false;
  const uint32_t died = ring_load(&h->died);
  if (died == IPCKIT_DIED_UNTOLD) sync_tell(s, w);
  if (shared) {
    uint32_t* held = sync_held(s, s->people.slot);
    if (died == IPCKIT_DIED_UNTOLD) {
      // Until he lets go: should he be killed before his caller knows, another is told.
      ring_store(&h->told, s->people.tag);
      ring_store(&h->died, IPCKIT_DIED_TOLD);
    }
    ring_store(&h->readers, readers + 1);
    // Commit point of a shared acquire.
    ring_store_release(held, ring_load(held) + 1);
    return true;
  }
  ring_store(&h->since, ring_realtime_coarse());
  // Commit point of an exclusive acquire.
  ring_store_release(&h->writer, s->people.tag);
  if (died != 0) ring_store(&h->died, 0);
  return true;
}

void sync_rwlock_admit(ipckit_sync* s, sync_wakes* wakes) {
  if (ring_load(&s->h->writer) != 0 || sync_high(s) == 0) return;
  const bool reading = ring_load(&s->h->readers) != 0;
  const int64_t now = ring_now();
  uint64_t after = 0;
  bool admitted = false;
  // In their order: readers up to the first writer, or that writer alone.
  for (;;) {
    ipckit_layout_waiter_t* place = sync_oldest(s, after, IPCKIT_WAITER_WAITS);
    if (place == NULL) return;
    after = ring_load(&place->ticket);
    const bool stale = sync_is_stale(place, now);
    if (ring_load(&place->wants) == IPCKIT_WANTS_SHARED) {
      sync_set_state(s, place, IPCKIT_WAITER_NOTIFIED, wakes);
      admitted = admitted || !stale;
      continue;
    }
    if (!reading && !admitted) sync_set_state(s, place, IPCKIT_WAITER_NOTIFIED, wakes);
    if (!stale) return;
  }
}

int sync_rwlock_release(ipckit_sync* s, bool shared, sync_wakes* wakes) {
  ipckit_layout_sync_header_t* h = s->h;
  if (shared) {
    uint32_t* held = sync_held(s, s->people.slot);
    const uint32_t times = ring_load(held), readers = ring_load(&h->readers);
    if (times == 0) return IPCKIT_E_NOT_HELD;
    if (readers == 0) return IPCKIT_E_CORRUPT;
    if (ring_load(&h->died) == IPCKIT_DIED_TOLD && ring_load(&h->told) == s->people.tag) {
      ring_store(&h->died, 0);
    }
    // Commit point of a shared release.
    ring_store_release(held, times - 1);
    ring_store(&h->readers, readers - 1);
  } else {
    if (ring_load(&h->writer) != s->people.tag) return IPCKIT_E_NOT_HELD;
    // Commit point of an exclusive release.
    ring_store_release(&h->writer, 0);
  }
  sync_rwlock_admit(s, wakes);
  return 0;
}

int sync_rwlock_repair(ipckit_sync* s, const uint64_t* gone, bool leaving) {
  ipckit_layout_sync_header_t* h = s->h;
  const uint32_t writer = ring_load(&h->writer);
  const bool mine = writer == s->people.tag;
  if (writer != 0 && (mine ? leaving : !ring_lock_owner_lives(writer, &s->people))) {
    if (!mine) sync_note_death(s, writer);
    // Commit point: until then the word says that its owner is dead.
    ring_store_release(&h->writer, 0);
  }
  if (ring_load(&h->died) == IPCKIT_DIED_TOLD) {
    const uint32_t told = ring_load(&h->told);
    const bool knows = told == s->people.tag && leaving;
    if (knows) ring_store(&h->died, 0);
    if (!knows && !ring_lock_owner_lives(told, &s->people)) ring_store(&h->died, IPCKIT_DIED_UNTOLD);
  }
  uint64_t readers = 0;
  for (uint32_t slot = 0; slot < s->g.participants; slot++) {
    if (gone[slot]) ring_store(sync_held(s, slot), 0);
    readers += ring_load(sync_held(s, slot));
  }
  if (readers > UINT32_MAX) return IPCKIT_E_CORRUPT;
  ring_store(&h->readers, (uint32_t)readers);
  return 0;
}
