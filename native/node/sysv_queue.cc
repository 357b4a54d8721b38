// System V message queues, as lib/sysv sees them.
#include <algorithm>
#include <cstring>

#include "node/args.h"
#include "node/bindings.h"
#include "node/block.h"
#include "node/throw.h"

namespace ipckit::node {

namespace {

constexpr size_t header_bytes = sizeof(sys::message_header);

/// msgGet(key, flags): id
napi_value msg_get(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sys::outcome<int> id = sys::sysv_queue::get(given.integer(0), given.integer(1));
  return id.ok() ? to_js(env, id.value()) : throw_failure(env, id.why());
}

/// msgAttach(id): handle
napi_value msg_attach(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return handle_or_throw(env, given.self().sysv_queues, sys::sysv_queue::attach(given.integer(0)));
}

/// msgDetach(handle)
napi_value msg_detach(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  given.self().sysv_queues.remove(given.integer(0));
  return nullptr;
}

/// msgRemove(handle)
napi_value msg_remove(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  sys::sysv_queue* queue = given.self().sysv_queues.find(given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "msgctl"});
  return done_or_throw(env, queue->remove());
}

/// msgStatus(handle, Float64Array): id, key, depth, bytes, queueBytes, uid, gid, creator's uid and gid, mode,
/// last sender, last receiver, and the times of last send, receive and change
napi_value msg_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sys::sysv_queue* queue = given.self().sysv_queues.find(given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "msgctl"});
  if (const int stale = queue->check_identity(); stale != 0) return throw_failure(env, {-stale, "msgctl"});
  const sys::outcome<msqid_ds> status = queue->status();
  if (!status.ok()) return throw_failure(env, status.why());
  const msqid_ds& now = status.value();
  const ipc_perm& permissions = now.msg_perm;
  fill(env, given.raw(1),
       {static_cast<double>(queue->id()), static_cast<double>(static_cast<uint32_t>(permissions.__key)),
        static_cast<double>(now.msg_qnum), static_cast<double>(now.__msg_cbytes),
        static_cast<double>(now.msg_qbytes), static_cast<double>(permissions.uid),
        static_cast<double>(permissions.gid), static_cast<double>(permissions.cuid),
        static_cast<double>(permissions.cgid), static_cast<double>(permissions.mode & 0777),
        static_cast<double>(now.msg_lspid), static_cast<double>(now.msg_lrpid),
        static_cast<double>(now.msg_stime), static_cast<double>(now.msg_rtime),
        static_cast<double>(now.msg_ctime)});
  return nullptr;
}

/// msgSet(handle, uid, gid, mode, queueBytes)
napi_value msg_set(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  sys::sysv_queue* queue = given.self().sysv_queues.find(given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "msgctl"});
  return done_or_throw(
      env, queue->set(static_cast<uid_t>(given.whole(1)), static_cast<gid_t>(given.whole(2)),
                      static_cast<mode_t>(given.integer(3)), static_cast<unsigned long>(given.whole(4))));
}

/// msgLimits(Float64Array [messageBytes, queueBytes, queues, usedQueues, usedMessages, usedBytes])
napi_value msg_limits(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::outcome<sys::sysv_queue_limits> limits = sys::sysv_queue_limits_now();
  if (!limits.ok()) return throw_failure(env, limits.why());
  const sys::sysv_queue_limits& now = limits.value();
  fill(env, given.raw(0),
       {static_cast<double>(now.message_bytes), static_cast<double>(now.queue_bytes),
        static_cast<double>(now.queues), static_cast<double>(now.used_queues),
        static_cast<double>(now.used_messages), static_cast<double>(now.used_bytes)});
  return nullptr;
}

/// ftok(path, project): key
napi_value ftok(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sys::outcome<key_t> key = sys::file_to_key(given.text(0).c_str(), given.integer(1));
  return key.ok() ? to_js(env, static_cast<int64_t>(static_cast<uint32_t>(key.value())))
                  : throw_failure(env, key.why());
}

/// Puts the type in front of the text, as msgsnd(2) wants it.
void lay(std::vector<char>& message, long type, const char* text, size_t length) {
  message.resize(header_bytes + length);
  std::memcpy(message.data(), &type, header_bytes);
  if (length > 0) std::memcpy(message.data() + header_bytes, text, length);
}

/// msgSend(handle, bytes, length, type): 0 or -errno
napi_value msg_send(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  environment& self = given.self();
  sys::sysv_queue* queue = self.sysv_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const auto bytes = given.bytes(1, static_cast<size_t>(given.integer(2)));
  if (!bytes) return to_js(env, -EFAULT);
  lay(self.scratch, given.whole(3), bytes->data(), bytes->size());
  return to_js(env, queue->send(self.scratch.data(), bytes->size()));
}

/// msgSendMany(handle, bytes, index, from, count): how many of the batch were sent; -errno when none was
napi_value msg_send_many(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  sys::sysv_queue* queue = given.self().sysv_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  return send_batch(env, given, [&](char* bytes, const message_entry& entry) {
    // lib/wait/outbox.ts leaves room for the header in front of each message.
    const long type = entry.label();
    std::memcpy(bytes - header_bytes, &type, header_bytes);
    return queue->send(bytes - header_bytes, static_cast<size_t>(entry.length));
  });
}

constexpr size_t unlimited = SIZE_MAX;

/// Receives at most `size` bytes into the inbox at `offset` and enters the message there as number `index`:
/// its length, or -errno.
ssize_t receive_at(environment& self, sys::sysv_queue& queue, size_t offset, int index, size_t size,
                   sys::message_selector selector, int flags) {
  char* message = self.inbox.bytes.data + offset;
  const size_t left = self.inbox.bytes.size - offset - header_bytes;
  const size_t room = std::min(size, left);
  // Only `size` may cut a message short; for want of memory it stays in the queue.
  if (left < size) selector.flags &= ~MSG_NOERROR;
  const ssize_t length = queue.receive(message, room, selector, flags);
  if (length < 0) return length;
  long type = 0;
  std::memcpy(&type, message, header_bytes);
  message_entry& entry = self.inbox_entries()[index];
  entry.offset = static_cast<int32_t>(offset + header_bytes);
  entry.length = static_cast<int32_t>(length);
  entry.set_label(type);
  return length;
}

/// msgReceive(handle, type, flags, max, size): how many lie in the inbox now; -errno when none does
napi_value msg_receive(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  environment& self = given.self();
  sys::sysv_queue* queue = self.sysv_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const sys::message_selector selector{given.whole(1), given.integer(2)};
  const size_t size = given.integer(4) < 0 ? unlimited : static_cast<size_t>(given.integer(4));
  const int max = std::min(given.integer(3), self.inbox_room());
  size_t offset = 0;
  for (int index = 0; index < max; index++) {
    if (offset + header_bytes > self.inbox.bytes.size) return to_js(env, index);
    const ssize_t length = receive_at(self, *queue, offset, index, size, selector, 0);
    if (length < 0) return to_js(env, index > 0 ? index : static_cast<int32_t>(length));
    offset += header_bytes + ((static_cast<size_t>(length) + 7) & ~size_t{7});
  }
  return to_js(env, max);
}

/// msgPeek(handle, position): 1 when a copy of the message at that position lies in the inbox, or -errno
napi_value msg_peek(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  sys::sysv_queue* queue = self.sysv_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const ssize_t length = receive_at(self, *queue, 0, 0, unlimited, {given.whole(1), 0}, MSG_COPY);
  return to_js(env, length < 0 ? static_cast<int32_t>(length) : 1);
}

/// msgWait(handle, type, flags, milliseconds): 1 ready; 2 when a message without text was taken, its type in
/// the inbox; 0 not in time; -EINTR after a signal that ends waits; or -errno
napi_value msg_wait(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  environment& self = given.self();
  sys::sysv_queue* queue = self.sysv_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const sys::message_selector selector{given.whole(1), given.integer(2)};
  long taken = 0;
  const int result = block(self, given.number(3), [&](const sys::stop_condition& stop) {
    return queue->wait_to_receive(selector, stop, &taken);
  });
  if (result == -E2BIG) return to_js(env, 1);
  if (result == -ETIMEDOUT) return to_js(env, 0);
  if (result < 0) return to_js(env, result);
  self.inbox_entries()[0] = {0, 0, 0, 0};
  self.inbox_entries()[0].set_label(taken);
  return to_js(env, 2);
}

/// msgSendWait(handle, bytes, length, type, milliseconds): 1 sent; 0 not in time; or -errno; see msgWait
napi_value msg_send_wait(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  environment& self = given.self();
  sys::sysv_queue* queue = self.sysv_queues.find(given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const size_t length = static_cast<size_t>(given.integer(2));
  lay(self.scratch, given.whole(3), given.bytes(1).data(), length);
  const int result = block(self, given.number(4), [&](const sys::stop_condition& stop) {
    return queue->wait_to_send(self.scratch.data(), length, stop);
  });
  if (result == 0) return to_js(env, 1);
  return to_js(env, result == -ETIMEDOUT ? 0 : result);
}

/// msgCall(handle, token, type, flags): waits on a thread; one event of the token
napi_value msg_call(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  environment& self = given.self();
  const sys::sysv_queue* queue = self.sysv_queues.find(given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "msgrcv"});
  const sys::message_selector selector{given.whole(2), given.integer(3)};
  return done_or_throw(env, self.waits.calls.wait_to_receive(given.integer(1), *queue, selector));
}

/// msgSendCall(handle, token, bytes, length, type): sends from a thread; one event of the token
napi_value msg_send_call(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  environment& self = given.self();
  const sys::sysv_queue* queue = self.sysv_queues.find(given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "msgsnd"});
  std::vector<char> message;
  lay(message, given.whole(4), given.bytes(2).data(), static_cast<size_t>(given.integer(3)));
  return done_or_throw(env, self.waits.calls.wait_to_send(given.integer(1), *queue, std::move(message)));
}

}  // namespace

void define_sysv_queue(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "msgGet", msg_get);
  define(env, exports, self, "msgAttach", msg_attach);
  define(env, exports, self, "msgDetach", msg_detach);
  define(env, exports, self, "msgRemove", msg_remove);
  define(env, exports, self, "msgStatus", msg_status);
  define(env, exports, self, "msgSet", msg_set);
  define(env, exports, self, "msgLimits", msg_limits);
  define(env, exports, self, "ftok", ftok);
  define(env, exports, self, "msgSend", msg_send);
  define(env, exports, self, "msgSendMany", msg_send_many);
  define(env, exports, self, "msgReceive", msg_receive);
  define(env, exports, self, "msgPeek", msg_peek);
  define(env, exports, self, "msgWait", msg_wait);
  define(env, exports, self, "msgSendWait", msg_send_wait);
  define(env, exports, self, "msgCall", msg_call);
  define(env, exports, self, "msgSendCall", msg_send_call);
}

}  // namespace ipckit::node
