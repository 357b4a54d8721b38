#include "sys/mapping.h"

#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include <cstdint>

namespace ipckit::sys {

namespace {

size_t page_bytes() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

size_t to_whole_pages(size_t size) { return (size + page_bytes() - 1) / page_bytes() * page_bytes(); }

}  // namespace

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

outcome<std::unique_ptr<mapping>> mapping::of_shared(void* at, size_t size) {
  const size_t offset = reinterpret_cast<uintptr_t>(at) % page_bytes();
  char* const first = static_cast<char*>(at) - offset;
  // From a size of 0 a shared mapping is not moved but mapped once more, mremap(2): the very same file,
  // whatever has its name by now.
  void* const pages = ::mremap(first, 0, to_whole_pages(offset + size), MREMAP_MAYMOVE);
  if (pages == MAP_FAILED) return last_failure("mremap");
  std::unique_ptr<mapping> made(new mapping(pages, offset, size, true, false));
  outcome<bus_guard> guard = bus_guard::watch(pages, made->whole_pages());
  if (!guard.ok()) return guard.why();
  made->guard_ = std::move(guard.value());
  return made;
}

size_t mapping::whole_pages() const { return to_whole_pages(static_cast<size_t>(data_ - pages_) + size_); }

void mapping::retire() {
  // The guard first: it must not lay its zeros over ours later, which whoever has a view may have written to.
  guard_ = bus_guard();
  // Takes the place of the shared pages in one step, so that no access can fall between. For a System V
  // segment it is the detachment too, which the kernel counts when the pages go.
  void* const zeros = ::mmap(pages_, whole_pages(), PROT_READ | PROT_WRITE,
                             MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  // When the kernel has no memory for its own tables, the shared pages stay until the last view has gone.
  if (zeros != MAP_FAILED) segment_ = false;
}

mapping::~mapping() {
  guard_ = bus_guard();
  if (segment_) {
    ::shmdt(pages_);
  } else {
    ::munmap(pages_, whole_pages());
  }
}

}  // namespace ipckit::sys
