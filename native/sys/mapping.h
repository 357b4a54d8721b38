// Memory that is shared with other processes, as it lies in this one. JavaScript may keep views of it longer
// than we keep the memory, and move them to objects that we do not know, so a mapping ends in two steps: what
// it shows is replaced by zeros at once (retire), and the addresses go when the last view has gone.
#pragma once

#include <cstddef>
#include <memory>

#include "sys/bus_guard.h"
#include "sys/outcome.h"

namespace ipckit::sys {

class mapping {
 public:
  /// Maps the first `size` bytes of a file, mmap(2), and guards them against its truncation.
  static outcome<std::unique_ptr<mapping>> of_file(int descriptor, size_t size, bool writable);
  /// Attaches a System V segment, shmat(2). It cannot be truncated.
  static outcome<std::unique_ptr<mapping>> of_segment(int id, bool writable);

  /// Maps a part of what is mapped already and shared with other processes once more: whoever mapped it first
  /// may unmap that. `at` may be any address in it.
  static outcome<std::unique_ptr<mapping>> of_shared(void* at, size_t size);

  mapping(const mapping&) = delete;
  mapping& operator=(const mapping&) = delete;
  ~mapping();

  char* data() const { return data_; }
  size_t size() const { return size_; }
  bool writable() const { return writable_; }
  /// Whether somebody cut off the file below us: there are zeros now, and nobody else sees them.
  bool lost() const { return guard_.struck(); }

  /// Gives up the shared memory: whoever still has a view sees zeros from now on.
  void retire();

 private:
  mapping(void* pages, size_t offset, size_t size, bool writable, bool segment)
      : pages_(static_cast<char*>(pages)),
        data_(pages_ + offset),
        size_(size),
        writable_(writable),
        segment_(segment) {}
  mapping(void* data, size_t size, bool writable, bool segment) : mapping(data, 0, size, writable, segment) {}
  /// From the beginning of the first page to the end of the last.
  size_t whole_pages() const;

  char* pages_;
  char* data_;
  size_t size_;
  bool writable_;
  /// Whether it is a System V segment that is attached.
  bool segment_;
  // Not movable, since views point into it. The guard goes first, while the range is still mapped.
  bus_guard guard_;
};

}  // namespace ipckit::sys
