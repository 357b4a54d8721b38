#include "sys/mapping.h"

#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

namespace ipckit::sys {

outcome<std::unique_ptr<mapping>> mapping::of_file(int descriptor, size_t size, bool writable) {
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* const data = ::mmap(nullptr, size, protection, MAP_SHARED, descriptor, 0);
  if (data == MAP_FAILED) return last_failure("mmap");
  std::unique_ptr<mapping> made(new mapping(data, size, writable, false));
  outcome<bus_guard> guard = bus_guard::watch(data, made->whole_pages());
  if (!guard.ok()) return guard.why();
  made->guard_ = std::move(guard.value());
  return made;
}

outcome<std::unique_ptr<mapping>> mapping::of_segment(int id, bool writable) {
  void* const data = ::shmat(id, nullptr, writable ? 0 : SHM_RDONLY);
  if (data == reinterpret_cast<void*>(-1)) return last_failure("shmat");  // NOLINT
  shmid_ds status{};
  // Nobody can remove it between these calls, as we are attached to it. One that may only be written cannot
  // be attached, so whoever attaches may ask.
  if (::shmctl(id, IPC_STAT, &status) != 0) {
    const failure why = last_failure("shmctl");
    ::shmdt(data);
    return why;
  }
  return std::unique_ptr<mapping>(new mapping(data, status.shm_segsz, writable, true));
}

size_t mapping::whole_pages() const {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return (size_ + page - 1) / page * page;
}

void mapping::retire() {
  // The guard first: it must not lay its zeros over ours later, which whoever has a view may have written to.
  guard_ = bus_guard();
  // Takes the place of the shared pages in one step, so that no access can fall between. For a System V
  // segment it is the detachment too, which the kernel counts when the pages go.
  void* const zeros = ::mmap(data_, whole_pages(), PROT_READ | PROT_WRITE,
                             MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  // When the kernel has no memory for its own tables, the shared pages stay until the last view has gone.
  if (zeros != MAP_FAILED) segment_ = false;
}

mapping::~mapping() {
  guard_ = bus_guard();
  if (segment_) {
    ::shmdt(data_);
  } else {
    ::munmap(data_, whole_pages());
  }
}

}  // namespace ipckit::sys
