// When another program truncates the file under a mapping, the next access is a SIGBUS. The handler here puts
// zeros under the whole mapping and marks the handle, whose operation then ends with IPCKIT_E_CORRUPT; a
// SIGBUS at any other address goes to whoever was there before. Runs on whichever thread faulted, and calls
// nothing but mmap.
#include "guard.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "ipckit/error.h"
#include "word.h"

static int wanted = 1;
static pthread_mutex_t change = PTHREAD_MUTEX_INITIALIZER;
// Read by the handler without a lock; a handle is freed only after it was taken out.
static ring_mapped* guarded;
static struct sigaction previous;

void ipckit_guard(int enabled) { ring_store(&wanted, enabled); }

static void pass_on(int number, siginfo_t* info, void* context) {
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(number, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(number);
  } else {
    // Back to the default, under which the same instruction faults again and ends the process as it should.
    signal(number, SIG_DFL);
  }
}

static void on_bus_error(int number, siginfo_t* info, void* context) {
  const uint8_t* address = info->si_addr;
  int saved = errno;
  for (ring_mapped* map = __atomic_load_n(&guarded, __ATOMIC_ACQUIRE); map;
       map = __atomic_load_n(&map->next, __ATOMIC_ACQUIRE)) {
    const uint8_t* start = map->start;
    if (address < start || address >= start + map->bytes || ring_people_forked(map->people)) continue;
    ring_store(&map->lost, 1);
    void* zeros = mmap(map->start, map->bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    if (zeros == MAP_FAILED) break;
    errno = saved;
    return;
  }
  errno = saved;
  pass_on(number, info, context);
}

void ring_guard_add(ring_mapped* map) {
  if (!ring_load(&wanted)) return;
  pthread_mutex_lock(&change);
  static bool installed;
  if (!installed) {
    struct sigaction ours = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&ours.sa_mask);
    installed = sigaction(SIGBUS, &ours, &previous) == 0;
  }
  map->next = guarded;
  __atomic_store_n(&guarded, map, __ATOMIC_RELEASE);
  pthread_mutex_unlock(&change);
}

void ring_guard_remove(ring_mapped* map) {
  pthread_mutex_lock(&change);
  for (ring_mapped** link = &guarded; *link; link = &(*link)->next) {
    if (*link != map) continue;
    __atomic_store_n(link, map->next, __ATOMIC_RELEASE);
    break;
  }
  pthread_mutex_unlock(&change);
}
