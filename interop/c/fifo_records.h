// Messages in a FIFO, as ipckit's `fifo:` queues have them: docs/layout.md of ipckit. Any number of processes
// may put and get at once; each message goes to one of them, whole.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
  fifo_record_header = 8,
  /// The header, and the end without its zeros.
  fifo_record_overhead = 12,
};

/// What a record of so many bytes takes in the FIFO.
size_t fifo_record_bytes(size_t length);

/// Opens a FIFO that exists, for both directions, so that it neither waits for the other end nor meets an end
/// of file. The descriptor, or the negative errno.
int fifo_open(const char* path);

/// Puts a message, and waits while the FIFO is full: 0, or the negative errno; EMSGSIZE when it can never
/// fit.
int fifo_put(int fifo, const void* bytes, size_t length);

/// Takes the next message, and waits for one: its length, or the negative errno. EMSGSIZE: it is longer than
/// `size` and stays. EBADMSG: what was left of a record whose writer or reader was killed has been skipped;
/// the next call goes on behind it.
ssize_t fifo_get(int fifo, void* bytes, size_t size);
