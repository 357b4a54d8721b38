// FIFOs that carry records, as lib/pipe/fifo-transport.ts sees them.
#include <fcntl.h>

#include <algorithm>

#include "node/args.h"
#include "node/bindings.h"
#include "node/block.h"
#include "node/removal.h"
#include "node/throw.h"
#include "sys/record_fifo.h"

namespace ipckit::node {

namespace {

napi_value adopt(napi_env env, environment& self, sys::outcome<sys::fd> opened, int32_t capacity,
                 bool is_ours) {
  if (!opened.ok()) return throw_failure(env, opened.why());
  sys::outcome<sys::record_fifo> adopted =
      sys::record_fifo::adopt(std::move(opened.value()), capacity, is_ours);
  return handle_or_throw(env, self.fifo_queues, std::move(adopted));
}

/// fifoQueueOpen(path, owner: as fifoOpen, capacity): handle
napi_value fifo_queue_open(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  return adopt(env, given.self(),
               sys::open_fifo(given.text(0).c_str(), O_RDWR, sys::fifo_owner::of(given.number(1))),
               given.integer(2), false);
}

/// fifoQueueMake(path, mode, capacity): handle; when the capacity cannot be had nothing is left
napi_value fifo_queue_make(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  const std::string path = given.text(0);
  sys::outcome<sys::fd> made = sys::make_fifo(path.c_str(), static_cast<mode_t>(given.integer(1)));
  const bool is_made = made.ok();
  const int watched = is_made ? ::fcntl(made.value().get(), F_DUPFD_CLOEXEC, 0) : -1;
  const sys::fd kept(watched);
  napi_value handle = adopt(env, given.self(), std::move(made), given.integer(2), true);
  if (handle == nullptr && is_made) (void)sys::remove_fifo(path.c_str(), kept.get());
  return handle;
}

/// fifoQueueClose(handle, token): gives up the descriptor, and the events that were asked for with the token
napi_value fifo_queue_close(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  given.self().waits.polls.forget(given.integer(1));
  given.self().fifo_queues.remove(given.integer(0));
  return nullptr;
}

/// fifoQueueUnlink(handle, path)
napi_value fifo_queue_unlink(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sys::record_fifo* queue = given.self().fifo_queues.find(given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "unlink"});
  return done_or_throw(env, queue->unlink(given.text(1).c_str()));
}

/// fifoQueueStatus(handle, Float64Array [depth, bytes, capacity, shared, uid, gid, mode, linked])
napi_value fifo_queue_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  sys::record_fifo* queue = self.fifo_queues.find(given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "fstat"});
  const sys::outcome<sys::record_fifo_status> status = queue->status(self.peephole);
  if (!status.ok()) return throw_failure(env, status.why());
  const sys::record_fifo_status& now = status.value();
  fill(env, given.raw(1),
       {static_cast<double>(now.depth), static_cast<double>(now.bytes), static_cast<double>(now.capacity),
        now.is_shared ? 1.0 : 0.0, static_cast<double>(now.file.owner), static_cast<double>(now.file.group),
        static_cast<double>(now.file.mode), now.file.linked ? 1.0 : 0.0});
  return nullptr;
}

/// fifoQueueSend(handle, bytes, length): 0 or -errno
napi_value fifo_queue_send(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  sys::record_fifo* queue = given.self().fifo_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const auto bytes = given.bytes(1, static_cast<size_t>(given.integer(2)));
  if (!bytes) return to_js(env, -EFAULT);
  return to_js(env, queue->send(bytes->data(), bytes->size()));
}

/// fifoQueueSendMany(handle, bytes, index, from, count): how many of the batch were sent; -errno when none
/// was
napi_value fifo_queue_send_many(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  sys::record_fifo* queue = given.self().fifo_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const std::span<char> bytes = given.bytes(1);
  const auto* records = entries_of<sys::outgoing_record>(env, given.raw(2), given.integer(3));
  return to_js(env, queue->send_many(bytes.data(), bytes.size(), records, given.integer(4)));
}

/// fifoQueueReceive(handle, max): how many lie in the inbox now; -errno when none does. The label of what is
/// left of a record that was torn is 1.
napi_value fifo_queue_receive(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  sys::record_fifo* queue = self.fifo_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const int max = std::min(given.integer(1), self.inbox_room());
  const int count =
      queue->receive(self.peephole, self.inbox.bytes.data, self.inbox.bytes.size, max, self.records);
  message_entry* entries = self.inbox_entries();
  for (int at = 0; at < count; at++) {
    const sys::record& each = self.records[static_cast<size_t>(at)];
    entries[at] = {static_cast<int32_t>(each.offset), static_cast<int32_t>(each.length), each.torn ? 1 : 0,
                   0};
  }
  return to_js(env, count);
}

/// fifoQueuePeek(handle, position): 1 when a copy of the message lies in the inbox now, 0 when there is none,
/// or -errno
napi_value fifo_queue_peek(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  sys::record_fifo* queue = self.fifo_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  sys::record found{};
  const int result = queue->peek(self.peephole, self.inbox.bytes.data, self.inbox.bytes.size,
                                 static_cast<size_t>(given.integer(1)), found);
  if (result == 1) {
    self.inbox_entries()[0] = {static_cast<int32_t>(found.offset), static_cast<int32_t>(found.length), 0, 0};
  }
  return to_js(env, result);
}

/// fifoQueueWait(handle, toSend, milliseconds): 1 ready, 0 not in time, -EINTR after a signal that ends
/// waits, or -errno
napi_value fifo_queue_wait(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  environment& self = given.self();
  sys::record_fifo* queue = self.fifo_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const bool to_send = given.integer(1) != 0;
  return to_js(env, block_by_polling(self, given.number(2), [&](const sys::deadline& until) {
                 return queue->wait(to_send, until);
               }));
}

/// fifoQueueArm(handle, token, toSend): asks for one event of the token: 0; 1 when no event could tell; or
/// -errno
napi_value fifo_queue_arm(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  const sys::record_fifo* queue = given.self().fifo_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const bool to_send = given.integer(2) != 0;
  if (!queue->can_be_polled(to_send)) return to_js(env, 1);
  return to_js(env, given.self().arm(given.integer(1), queue->descriptor(), to_send));
}

/// fifoQueueWatchRemoval(handle, token): as mqWatchRemoval
napi_value fifo_queue_watch_removal(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  const sys::record_fifo* queue = self.fifo_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  return to_js(env, watch_removal(self, queue->descriptor(), given.integer(1)));
}

/// fifoQueueIsRemoved(handle): whether its name is gone
napi_value fifo_queue_is_removed(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  sys::record_fifo* queue = given.self().fifo_queues.find(given.integer(0));
  napi_value removed = nullptr;
  napi_get_boolean(env, queue != nullptr && queue->look_whether_removed(), &removed);
  return removed;
}

}  // namespace

void define_fifo_queue(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "fifoQueueOpen", fifo_queue_open);
  define(env, exports, self, "fifoQueueMake", fifo_queue_make);
  define(env, exports, self, "fifoQueueClose", fifo_queue_close);
  define(env, exports, self, "fifoQueueUnlink", fifo_queue_unlink);
  define(env, exports, self, "fifoQueueStatus", fifo_queue_status);
  define(env, exports, self, "fifoQueueSend", fifo_queue_send);
  define(env, exports, self, "fifoQueueSendMany", fifo_queue_send_many);
  define(env, exports, self, "fifoQueueReceive", fifo_queue_receive);
  define(env, exports, self, "fifoQueuePeek", fifo_queue_peek);
  define(env, exports, self, "fifoQueueWait", fifo_queue_wait);
  define(env, exports, self, "fifoQueueArm", fifo_queue_arm);
  define(env, exports, self, "fifoQueueWatchRemoval", fifo_queue_watch_removal);
  define(env, exports, self, "fifoQueueIsRemoved", fifo_queue_is_removed);
}

}  // namespace ipckit::node
