// Pipes and FIFOs as bytes, as lib/pipe sees them.
#include "sys/pipe.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>

#include "node/args.h"
#include "node/bindings.h"
#include "node/throw.h"
#include "sys/fifo.h"

namespace ipckit::node {

namespace {

/// The bytes from `offset` on, as many as `length` says and the memory has.
std::span<char> part_of(std::span<char> bytes, int32_t offset, int32_t length) {
  const size_t from = std::min(bytes.size(), static_cast<size_t>(offset));
  return bytes.subspan(from, std::min(bytes.size() - from, static_cast<size_t>(length)));
}

/// pipeMake(packets, Float64Array [reading end, writing end])
napi_value pipe_make(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sys::outcome<sys::pipe_ends> made = sys::make_pipe(given.integer(0) != 0);
  if (!made.ok()) return throw_failure(env, made.why());
  handle_table<sys::pipe_end>& ends = given.self().pipe_ends;
  const int32_t reading = ends.add(std::move(made.value().reading));
  const int32_t writing = ends.add(std::move(made.value().writing));
  fill(env, given.raw(1), {static_cast<double>(reading), static_cast<double>(writing)});
  return nullptr;
}

/// pipeClose(handle, token): gives up the descriptor, and the events that were asked for with the token
napi_value pipe_close(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  given.self().waits.polls.forget(given.integer(1));
  given.self().pipe_ends.remove(given.integer(0));
  return nullptr;
}

/// pipeRead(handle, bytes, offset, length): how many, 0 when there is nothing and no writer, or -errno
napi_value pipe_read(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  sys::pipe_end* end = given.self().pipe_ends.find(given.integer(0));
  if (end == nullptr) return to_js(env, -EBADF);
  const std::span<char> room = part_of(given.bytes(1), given.integer(2), given.integer(3));
  return to_js(env, static_cast<int64_t>(end->read(room.data(), room.size())));
}

/// pipeWrite(handle, bytes, offset, length): how many had room, or -errno
napi_value pipe_write(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  sys::pipe_end* end = given.self().pipe_ends.find(given.integer(0));
  if (end == nullptr) return to_js(env, -EBADF);
  const std::span<char> bytes = part_of(given.bytes(1), given.integer(2), given.integer(3));
  return to_js(env, static_cast<int64_t>(end->write(bytes.data(), bytes.size())));
}

/// pipeArm(handle, token, toWrite): asks for one event of the token; 0 or -errno
napi_value pipe_arm(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  const sys::pipe_end* end = given.self().pipe_ends.find(given.integer(0));
  if (end == nullptr) return to_js(env, -EBADF);
  return to_js(env, given.self().arm(given.integer(1), end->descriptor(), given.integer(2) != 0));
}

/// pipeDisarm(token): forgets the events that were asked for with the token
napi_value pipe_disarm(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  given.self().waits.polls.forget(given.integer(0));
  return nullptr;
}

/// pipePoll(handle): what poll(2) says now, or -errno
napi_value pipe_poll(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::pipe_end* end = given.self().pipe_ends.find(given.integer(0));
  return to_js(env, end == nullptr ? -EBADF : end->poll(POLLIN | POLLOUT));
}

/// pipeCapacity(handle, bytes): sets the size of the pipe, unless `bytes` is 0; what it is, or -errno
napi_value pipe_capacity(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sys::pipe_end* end = given.self().pipe_ends.find(given.integer(0));
  if (end == nullptr) return to_js(env, -EBADF);
  const int32_t bytes = given.integer(1);
  return to_js(env, bytes == 0 ? end->capacity() : end->set_capacity(bytes));
}

/// pipeUnread(handle): bytes that nobody has read yet, or -errno
napi_value pipe_unread(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::pipe_end* end = given.self().pipe_ends.find(given.integer(0));
  return to_js(env, end == nullptr ? -EBADF : end->unread());
}

/// pipeDescriptor(handle): the number of its descriptor, or -errno
napi_value pipe_descriptor(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::pipe_end* end = given.self().pipe_ends.find(given.integer(0));
  return to_js(env, end == nullptr ? -EBADF : end->descriptor());
}

/// pipeHandOver(handle, token): closes the handle and gives its descriptor away, in blocking mode
napi_value pipe_hand_over(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  sys::pipe_end* end = self.pipe_ends.find(given.integer(0));
  if (end == nullptr) return throw_failure(env, {EBADF, "fcntl"});
  self.waits.polls.forget(given.integer(1));
  const sys::outcome<int> descriptor = end->hand_over();
  if (!descriptor.ok()) return throw_failure(env, descriptor.why());
  self.pipe_ends.remove(given.integer(0));
  return to_js(env, descriptor.value());
}

/// fifoOpen(path, access, owner: -1 me or root, -2 anybody, or a uid): the handle of a pipe end
napi_value fifo_open(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  sys::outcome<sys::fd> opened =
      sys::open_fifo(given.text(0).c_str(), given.integer(1), sys::fifo_owner::of(given.number(2)));
  if (!opened.ok()) return throw_failure(env, opened.why());
  return to_js(env, given.self().pipe_ends.add(sys::pipe_end(std::move(opened.value()))));
}

/// fifoMake(path, mode): the handle of a pipe end that is open for both
napi_value fifo_make(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sys::outcome<sys::fd> made = sys::make_fifo(given.text(0).c_str(), static_cast<mode_t>(given.integer(1)));
  if (!made.ok()) return throw_failure(env, made.why());
  return to_js(env, given.self().pipe_ends.add(sys::pipe_end(std::move(made.value()))));
}

/// fifoReopen(handle, path, access): another handle on the FIFO of this one; fails with EIDRM when the path
/// leads elsewhere by now, with ENXIO when it is opened for writing alone and nobody has it open for reading
napi_value fifo_reopen(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  environment& self = given.self();
  const sys::pipe_end* end = self.pipe_ends.find(given.integer(0));
  if (end == nullptr) return throw_failure(env, {EBADF, "open"});
  sys::outcome<sys::fd> opened = sys::reopen_fifo(end->descriptor(), given.text(1).c_str(), given.integer(2));
  if (!opened.ok()) return throw_failure(env, opened.why());
  return to_js(env, self.pipe_ends.add(sys::pipe_end(std::move(opened.value()))));
}

/// fifoHasWriter(handle): whether anybody has it open for writing, or has left something in it: 1, 0 or
/// -errno
napi_value fifo_has_writer(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  environment& self = given.self();
  const sys::pipe_end* end = self.pipe_ends.find(given.integer(0));
  return to_js(env, end == nullptr ? -EBADF : self.peephole.has_writer(end->descriptor()));
}

/// fifoStatus(handle, Float64Array [uid, gid, mode, linked])
napi_value fifo_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sys::pipe_end* end = given.self().pipe_ends.find(given.integer(0));
  if (end == nullptr) return throw_failure(env, {EBADF, "fstat"});
  const sys::outcome<sys::fifo_status> status = sys::status_of_fifo(end->descriptor());
  if (!status.ok()) return throw_failure(env, status.why());
  const sys::fifo_status& now = status.value();
  fill(env, given.raw(1),
       {static_cast<double>(now.owner), static_cast<double>(now.group), static_cast<double>(now.mode),
        now.linked ? 1.0 : 0.0});
  return nullptr;
}

/// fifoUnlink(handle, path)
napi_value fifo_unlink(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sys::pipe_end* end = given.self().pipe_ends.find(given.integer(0));
  if (end == nullptr) return throw_failure(env, {EBADF, "unlink"});
  return done_or_throw(env, sys::remove_fifo(given.text(1).c_str(), end->descriptor()));
}

}  // namespace

void define_pipe(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "pipeMake", pipe_make);
  define(env, exports, self, "pipeClose", pipe_close);
  define(env, exports, self, "pipeRead", pipe_read);
  define(env, exports, self, "pipeWrite", pipe_write);
  define(env, exports, self, "pipeArm", pipe_arm);
  define(env, exports, self, "pipeDisarm", pipe_disarm);
  define(env, exports, self, "pipePoll", pipe_poll);
  define(env, exports, self, "pipeCapacity", pipe_capacity);
  define(env, exports, self, "pipeUnread", pipe_unread);
  define(env, exports, self, "pipeDescriptor", pipe_descriptor);
  define(env, exports, self, "pipeHandOver", pipe_hand_over);
  define(env, exports, self, "fifoOpen", fifo_open);
  define(env, exports, self, "fifoMake", fifo_make);
  define(env, exports, self, "fifoReopen", fifo_reopen);
  define(env, exports, self, "fifoHasWriter", fifo_has_writer);
  define(env, exports, self, "fifoStatus", fifo_status);
  define(env, exports, self, "fifoUnlink", fifo_unlink);
}

}  // namespace ipckit::node
