// What one JavaScript environment (the main thread, or a worker thread) has open. A worker is a second
// environment with a second one of these; nothing here is shared by the process.
#pragma once

#include <napi.h>
#include <sys/epoll.h>

#include <optional>
#include <unordered_map>
#include <vector>

#include "node/handle.h"
#include "node/open_memory.h"
#include "node/shm_queue.h"
#include "node/sync_object.h"
#include "node/wait.h"
#include "sys/interrupt.h"
#include "sys/pipe.h"
#include "sys/posix_queue.h"
#include "sys/posix_semaphore.h"
#include "sys/record_fifo.h"
#include "sys/sysv_queue.h"
#include "sys/sysv_semaphore.h"
#include "sys/unix_socket.h"

namespace ipckit::node {

/// Memory of a JavaScript typed array that stays registered, so that calls need not look it up.
struct registered_memory {
  Napi::ObjectReference keep;
  char* data = nullptr;
  size_t size = 0;
};

/// Where received messages are laid: their bytes, and a message_entry for each (see lib/wait/inbox.ts).
struct inbox_memory {
  registered_memory bytes;
  registered_memory index;
};

/// Where one message of a batch lies: int32 each, the label (priority or type) in two halves.
struct message_entry {
  int32_t offset;
  int32_t length;
  int32_t label_low;
  int32_t label_high;

  long label() const {
    return static_cast<long>((static_cast<uint64_t>(static_cast<uint32_t>(label_high)) << 32) |
                             static_cast<uint32_t>(label_low));
  }
  void set_label(long label) {
    label_low = static_cast<int32_t>(static_cast<uint64_t>(label));
    label_high = static_cast<int32_t>(static_cast<uint64_t>(label) >> 32);
  }
};

struct environment {
  explicit environment(Napi::Env env) : waits(env) {}

  message_entry* inbox_entries() { return reinterpret_cast<message_entry*>(inbox.index.data); }
  int inbox_room() const { return static_cast<int>(inbox.index.size / sizeof(message_entry)); }

  inbox_memory inbox;
  handle_table<sys::posix_queue> posix_queues;
  handle_table<shm_queue> shm_queues;
  handle_table<sync_object> sync_objects;
  handle_table<sys::sysv_queue> sysv_queues;
  handle_table<sys::unix_socket> unix_sockets;
  handle_table<sys::unix_listener> unix_listeners;
  handle_table<open_memory> memories;
  handle_table<sys::pipe_end> pipe_ends;
  handle_table<sys::record_fifo> fifo_queues;
  /// Through which FIFO queues are looked at, and what was seen last.
  sys::peephole peephole;
  std::vector<sys::record> records;
  handle_table<sys::posix_semaphore> posix_semaphores;
  handle_table<sys::sysv_semaphore_set> sysv_semaphore_sets;
  /// The sockets on which notices of mq_notify(3) arrive, by the token of their event.
  std::unordered_map<int32_t, sys::fd> notices;
  /// Where the kernel tells that a queue was unlinked (inotify(7)); made when somebody waits first.
  sys::fd removals;
  /// For blocking calls of this thread.
  sys::thread_alarm alarm;
  /// Lives from a blocking call until the event loop turns (lib/wait/engine.ts).
  std::optional<sys::termination_watch> termination;

  /// Whether a signal came that is to end the blocking call which asks, and no other.
  bool is_interrupted() { return termination && termination->take() != 0; }

  /// Asks for one event of the token when the descriptor can be read, or written: 0 or -errno.
  int32_t arm(int32_t token, int descriptor, bool to_write) {
    const sys::outcome<sys::nothing> armed =
        waits.polls.arm(token, descriptor, to_write ? EPOLLOUT : EPOLLIN);
    return armed.ok() ? 0 : -armed.why().error;
  }

  /// A message with its header, on its way to msgsnd(2).
  std::vector<char> scratch;
  // Last, so that it goes first: its threads use what is above.
  wait_engine waits;
};

}  // namespace ipckit::node
