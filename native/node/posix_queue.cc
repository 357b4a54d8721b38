// POSIX message queues, as lib/posix sees them.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <vector>

#include "node/args.h"
#include "node/bindings.h"
#include "node/block.h"
#include "node/removal.h"
#include "node/throw.h"

namespace ipckit::node {

namespace {

/// The name of a queue: text, or the bytes of one that is no UTF-8.
template <size_t Count>
std::string name_of(napi_env env, const arguments<Count>& given) {
  bool is_bytes = false;
  napi_is_buffer(env, given.raw(0), &is_bytes);
  if (!is_bytes) return given.text(0);
  const std::span<char> bytes = given.bytes(0);
  return {bytes.begin(), bytes.end()};
}

/// mqOpen(name, oflag, mode, capacity, messageBytes): handle
napi_value mq_open(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  return handle_or_throw(
      env, given.self().posix_queues,
      sys::posix_queue::open(name_of(env, given).c_str(), given.integer(1),
                             static_cast<mode_t>(given.integer(2)), given.whole(3), given.whole(4)));
}

/// mqClose(handle, token): gives up the descriptor, and the events that were asked for with the token
napi_value mq_close(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  given.self().waits.polls.forget(given.integer(1));
  given.self().posix_queues.remove(given.integer(0));
  return nullptr;
}

/// mqUnlink(name)
napi_value mq_unlink(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return done_or_throw(env, sys::posix_queue::unlink(given.text(0).c_str()));
}

/// mqStatus(handle, Float64Array [capacity, messageBytes, depth, flags, uid, gid, mode, linked])
napi_value mq_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sys::posix_queue* queue = given.self().posix_queues.find(given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "mq_getattr"});
  const sys::outcome<sys::posix_queue_status> status = queue->status();
  if (!status.ok()) return throw_failure(env, status.why());
  const sys::posix_queue_status& now = status.value();
  fill(env, given.raw(1),
       {static_cast<double>(now.capacity), static_cast<double>(now.message_bytes),
        static_cast<double>(now.depth), static_cast<double>(now.flags), static_cast<double>(now.owner),
        static_cast<double>(now.group), static_cast<double>(now.mode), now.linked ? 1.0 : 0.0});
  return nullptr;
}

/// mqSend(handle, bytes, length, priority): 0 or -errno
napi_value mq_send(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  sys::posix_queue* queue = given.self().posix_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const auto bytes = given.bytes(1, static_cast<size_t>(given.integer(2)));
  if (!bytes) return to_js(env, -EFAULT);
  return to_js(env, queue->send(bytes->data(), bytes->size(), static_cast<unsigned>(given.integer(3))));
}

/// mqSendMany(handle, bytes, index, from, count): how many of the batch were sent; -errno when none was
napi_value mq_send_many(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  sys::posix_queue* queue = given.self().posix_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  return send_batch(env, given, [&](char* bytes, const message_entry& entry) {
    return queue->send(bytes, static_cast<size_t>(entry.length), static_cast<unsigned>(entry.label_low));
  });
}

/// mqReceive(handle, max): how many lie in the inbox now; -errno when none does
napi_value mq_receive(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  sys::posix_queue* queue = self.posix_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const int max = std::min(given.integer(1), self.inbox_room());
  size_t offset = 0;
  for (int index = 0; index < max; index++) {
    const size_t left = self.inbox.bytes.size - std::min(offset, self.inbox.bytes.size);
    if (index > 0 && left < queue->message_bytes()) return to_js(env, index);
    unsigned priority = 0;
    const ssize_t length = queue->receive(self.inbox.bytes.data + offset, left, &priority);
    if (length < 0) return to_js(env, index > 0 ? index : static_cast<int32_t>(length));
    message_entry& entry = self.inbox_entries()[index];
    entry = {static_cast<int32_t>(offset), static_cast<int32_t>(length), static_cast<int32_t>(priority), 0};
    offset += (static_cast<size_t>(length) + 7) & ~size_t{7};
  }
  return to_js(env, max);
}

/// mqWait(handle, toSend, milliseconds): 1 ready, 0 not in time, -EINTR after a signal that ends waits, or
/// -errno
napi_value mq_wait(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  environment& self = given.self();
  sys::posix_queue* queue = self.posix_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const short events = given.integer(1) != 0 ? POLLOUT : POLLIN;
  return to_js(env, block_by_polling(self, given.number(2),
                                     [&](const sys::deadline& until) { return queue->wait(events, until); }));
}

/// mqArm(handle, token, toSend): asks for one event of the token; 0 or -errno
napi_value mq_arm(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  const sys::posix_queue* queue = given.self().posix_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  return to_js(env, given.self().arm(given.integer(1), queue->descriptor(), given.integer(2) != 0));
}

/// mqNotify(handle, token): asks for one event when a message arrives in the empty queue
napi_value mq_notify(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  const sys::posix_queue* queue = self.posix_queues.find(given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "mq_notify"});
  sys::outcome<sys::fd> notice = queue->notify();
  if (!notice.ok()) return throw_failure(env, notice.why());
  const int32_t token = given.integer(1);
  const sys::outcome<sys::nothing> armed = self.waits.polls.arm(token, notice.value().get(), EPOLLIN);
  if (!armed.ok()) {
    (void)queue->cancel_notify();
    return throw_failure(env, armed.why());
  }
  self.notices[token] = std::move(notice.value());
  return nullptr;
}

/// mqEndNotify(handle, token, cancel): forgets the request; `cancel` tells whether it still stands. True when
/// the kernel had taken it back instead of answering.
napi_value mq_end_notify(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  environment& self = given.self();
  const sys::posix_queue* queue = self.posix_queues.find(given.integer(0));
  if (queue != nullptr && given.integer(2) != 0) (void)queue->cancel_notify();
  self.waits.polls.forget(given.integer(1));
  const auto notice = self.notices.find(given.integer(1));
  if (notice == self.notices.end()) return nullptr;
  napi_value taken_back = nullptr;
  napi_get_boolean(env, sys::posix_queue::was_taken_back(notice->second), &taken_back);
  self.notices.erase(notice);
  return taken_back;
}

/// mqHeedRemoval(handle): from now on an unlinked queue fails with EIDRM
napi_value mq_heed_removal(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  sys::posix_queue* queue = given.self().posix_queues.find(given.integer(0));
  if (queue != nullptr) queue->heed_removal();
  return nullptr;
}

/// mqWatchRemoval(handle, token): the number of a watch, or -errno; an event of the token says that
/// mqRemovals has something to tell
napi_value mq_watch_removal(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  const sys::posix_queue* queue = self.posix_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  return to_js(env, watch_removal(self, queue->descriptor(), given.integer(1)));
}

/// mqUnwatchRemoval(watch)
napi_value mq_unwatch_removal(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  ::inotify_rm_watch(given.self().removals.get(), given.integer(0));
  return nullptr;
}

/// mqRemovals(token, watches: Int32Array): how many watches have something to tell, and asks for the next
/// event
napi_value mq_removals(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  const auto watches = numbers_of<int32_t>(env, given.raw(1));
  // Watches of files without a name in a folder: every event has the same size. What does not fit is read
  // next.
  std::vector<inotify_event> events(watches.size());
  const ssize_t bytes = ::read(self.removals.get(), events.data(), watches.size() * sizeof(inotify_event));
  const int32_t count =
      bytes < 0 ? 0 : static_cast<int32_t>(static_cast<size_t>(bytes) / sizeof(inotify_event));
  for (int32_t index = 0; index < count; index++) watches[index] = events[index].wd;
  (void)self.arm(given.integer(0), self.removals.get(), false);
  return to_js(env, count);
}

/// mqDirectory(): a descriptor of the directory of all queues, which the caller closes
napi_value mq_directory(napi_env env, napi_callback_info) {
  sys::outcome<sys::fd> directory = sys::posix_queue_directory();
  if (!directory.ok()) return throw_failure(env, directory.why());
  return to_js(env, directory.value().release());
}

}  // namespace

void define_posix_queue(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "mqOpen", mq_open);
  define(env, exports, self, "mqClose", mq_close);
  define(env, exports, self, "mqUnlink", mq_unlink);
  define(env, exports, self, "mqStatus", mq_status);
  define(env, exports, self, "mqSend", mq_send);
  define(env, exports, self, "mqSendMany", mq_send_many);
  define(env, exports, self, "mqReceive", mq_receive);
  define(env, exports, self, "mqWait", mq_wait);
  define(env, exports, self, "mqArm", mq_arm);
  define(env, exports, self, "mqNotify", mq_notify);
  define(env, exports, self, "mqEndNotify", mq_end_notify);
  define(env, exports, self, "mqHeedRemoval", mq_heed_removal);
  define(env, exports, self, "mqWatchRemoval", mq_watch_removal);
  define(env, exports, self, "mqUnwatchRemoval", mq_unwatch_removal);
  define(env, exports, self, "mqRemovals", mq_removals);
  define(env, exports, self, "mqDirectory", mq_directory);
}

}  // namespace ipckit::node
