// Connections over Unix sockets, as lib/pipe sees them.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <span>

#include "node/args.h"
#include "node/bindings.h"
#include "node/block.h"
#include "node/throw.h"

namespace ipckit::node {

namespace {

/// socketPair(ends: Int32Array): lays two handles
napi_value socket_pair(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  auto made = sys::unix_socket::make_pair();
  if (!made.ok()) return throw_failure(env, made.why());
  const std::span<int32_t> ends = numbers_of<int32_t>(env, given.raw(0));
  if (ends.size() < 2) return throw_failure(env, {EFAULT, "socketpair"});
  ends[0] = given.self().unix_sockets.add(std::move(made.value().first));
  ends[1] = given.self().unix_sockets.add(std::move(made.value().second));
  return nullptr;
}

/// socketAdopt(descriptor): handle; the descriptor is ours from then on
napi_value socket_adopt(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return handle_or_throw(env, given.self().unix_sockets, sys::unix_socket::adopt(given.integer(0)));
}

/// socketConnect(name): handle
napi_value socket_connect(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return handle_or_throw(env, given.self().unix_sockets, sys::unix_socket::connect(given.text(0)));
}

/// socketClose(handle, token): gives up the descriptor, and the events that were asked for with the token
napi_value socket_close(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  given.self().waits.polls.forget(given.integer(1));
  given.self().unix_sockets.remove(given.integer(0));
  return nullptr;
}

/// socketDescriptor(handle): its number, or -EBADF
napi_value socket_descriptor(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::unix_socket* socket = given.self().unix_sockets.find(given.integer(0));
  return to_js(env, socket == nullptr ? -EBADF : socket->descriptor());
}

/// socketShut(handle, toSend): ends one direction
napi_value socket_shut(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sys::unix_socket* socket = given.self().unix_sockets.find(given.integer(0));
  if (socket == nullptr) return throw_failure(env, {EBADF, "shutdown"});
  return done_or_throw(env, socket->shut(given.integer(1) != 0 ? SHUT_WR : SHUT_RD));
}

/// socketSend(handle, bytes, length, from): how many bytes more of the framed message are sent, or -errno
napi_value socket_send(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  const sys::unix_socket* socket = given.self().unix_sockets.find(given.integer(0));
  if (socket == nullptr) return to_js(env, -EBADF);
  const auto bytes = given.bytes(1, static_cast<size_t>(given.number(2)));
  if (!bytes) return to_js(env, -EFAULT);
  const size_t from = static_cast<size_t>(given.number(3));
  return to_js(env, static_cast<int64_t>(socket->send(bytes->data(), bytes->size(), from)));
}

/// socketBegin(handle, bytes, facts: Float64Array): see unix_socket::begin; facts become [length of the
/// message, bytes of a header in hand]
napi_value socket_begin(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  sys::unix_socket* socket = given.self().unix_sockets.find(given.integer(0));
  if (socket == nullptr) return to_js(env, -EBADF);
  const std::span<char> bytes = given.bytes(1);
  int64_t length = 0;
  const ssize_t count = socket->begin(bytes.data(), bytes.size(), &length);
  fill(env, given.raw(2), {static_cast<double>(length), static_cast<double>(socket->header_bytes())});
  return to_js(env, static_cast<int64_t>(count));
}

/// socketMore(handle, bytes, from, end): reads into that part of bytes: how many, or -errno
napi_value socket_more(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  const sys::unix_socket* socket = given.self().unix_sockets.find(given.integer(0));
  if (socket == nullptr) return to_js(env, -EBADF);
  const std::span<char> bytes = given.bytes(1);
  const size_t from = static_cast<size_t>(given.number(2));
  const size_t end = static_cast<size_t>(given.number(3));
  if (from >= end || end > bytes.size()) return to_js(env, -EFAULT);
  return to_js(env, static_cast<int64_t>(socket->more(bytes.data() + from, end - from)));
}

/// socketSendDescriptors(handle, bytes, descriptors: Int32Array): 0 or -errno
napi_value socket_send_descriptors(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  const sys::unix_socket* socket = given.self().unix_sockets.find(given.integer(0));
  if (socket == nullptr) return to_js(env, -EBADF);
  const std::span<char> bytes = given.bytes(1);
  return to_js(env,
               socket->send_descriptors(bytes.data(), bytes.size(), numbers_of<int32_t>(env, given.raw(2))));
}

/// socketReceiveDescriptors(handle, bytes, descriptors: Int32Array, facts: Float64Array): how many bytes, or
/// -errno; facts become [count of descriptors, 1 when there were more, bytes of a header in hand]
napi_value socket_receive_descriptors(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  sys::unix_socket* socket = given.self().unix_sockets.find(given.integer(0));
  if (socket == nullptr) return to_js(env, -EBADF);
  const std::span<char> bytes = given.bytes(1);
  sys::received_descriptors received;
  const ssize_t count = socket->receive_descriptors(bytes.data(), bytes.size(),
                                                    numbers_of<int32_t>(env, given.raw(2)), &received);
  fill(env, given.raw(3),
       {static_cast<double>(received.count), received.truncated ? 1.0 : 0.0,
        static_cast<double>(socket->header_bytes())});
  return to_js(env, static_cast<int64_t>(count));
}

/// socketWait(handle, toSend, milliseconds): 1 ready, 0 not in time, -EINTR after a signal that ends waits,
/// or -errno
napi_value socket_wait(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  environment& self = given.self();
  sys::unix_socket* socket = self.unix_sockets.find(given.integer(0));
  if (socket == nullptr) return to_js(env, -EBADF);
  const short events = given.integer(1) != 0 ? POLLOUT : POLLIN;
  return to_js(env, block_by_polling(self, given.number(2), [&](const sys::deadline& until) {
                 return socket->wait(events, until);
               }));
}

/// socketArm(handle, token, toSend): asks for one event of the token; 0 or -errno
napi_value socket_arm(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  environment& self = given.self();
  const sys::unix_socket* socket = self.unix_sockets.find(given.integer(0));
  if (socket == nullptr) return to_js(env, -EBADF);
  return to_js(env, given.self().arm(given.integer(1), socket->descriptor(), given.integer(2) != 0));
}

/// socketPeer(handle, Float64Array [pid, uid, gid])
napi_value socket_peer(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sys::unix_socket* socket = given.self().unix_sockets.find(given.integer(0));
  if (socket == nullptr) return throw_failure(env, {EBADF, "getsockopt"});
  const auto peer = socket->peer();
  if (!peer.ok()) return throw_failure(env, peer.why());
  fill(env, given.raw(1),
       {static_cast<double>(peer.value().pid), static_cast<double>(peer.value().uid),
        static_cast<double>(peer.value().gid)});
  return nullptr;
}

/// listenerOpen(name, mode, backlog, replaceStale): handle
napi_value listener_open(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  auto made = sys::unix_listener::listen(given.text(0), static_cast<mode_t>(given.integer(1)),
                                         given.integer(2), given.integer(3) != 0);
  return handle_or_throw(env, given.self().unix_listeners, std::move(made));
}

/// listenerAccept(listener): handle of a socket, or -errno
napi_value listener_accept(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sys::unix_listener* listener = given.self().unix_listeners.find(given.integer(0));
  if (listener == nullptr) return to_js(env, -EBADF);
  auto accepted = listener->accept();
  if (!accepted.ok()) return to_js(env, -accepted.why().error);
  return to_js(env, given.self().unix_sockets.add(std::move(accepted.value())));
}

/// listenerArm(listener, token): asks for one event of the token when somebody connects; 0 or -errno
napi_value listener_arm(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sys::unix_listener* listener = given.self().unix_listeners.find(given.integer(0));
  if (listener == nullptr) return to_js(env, -EBADF);
  return to_js(env, given.self().arm(given.integer(1), listener->descriptor(), false));
}

/// listenerClose(listener, token): removes its file too
napi_value listener_close(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  given.self().waits.polls.forget(given.integer(1));
  given.self().unix_listeners.remove(given.integer(0));
  return nullptr;
}

/// socketFile(path): what is there: 0 nothing, 1 a link, 2 no socket, 3 a socket of another user, 4 one that
/// nobody listens at, 5 one that somebody does
napi_value socket_file(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  return to_js(env, static_cast<int32_t>(sys::inspect_socket_file(given.text(0))));
}

}  // namespace

void define_unix_socket(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "socketPair", socket_pair);
  define(env, exports, self, "socketAdopt", socket_adopt);
  define(env, exports, self, "socketConnect", socket_connect);
  define(env, exports, self, "socketClose", socket_close);
  define(env, exports, self, "socketDescriptor", socket_descriptor);
  define(env, exports, self, "socketShut", socket_shut);
  define(env, exports, self, "socketSend", socket_send);
  define(env, exports, self, "socketBegin", socket_begin);
  define(env, exports, self, "socketMore", socket_more);
  define(env, exports, self, "socketSendDescriptors", socket_send_descriptors);
  define(env, exports, self, "socketReceiveDescriptors", socket_receive_descriptors);
  define(env, exports, self, "socketWait", socket_wait);
  define(env, exports, self, "socketArm", socket_arm);
  define(env, exports, self, "socketPeer", socket_peer);
  define(env, exports, self, "listenerOpen", listener_open);
  define(env, exports, self, "listenerAccept", listener_accept);
  define(env, exports, self, "listenerArm", listener_arm);
  define(env, exports, self, "listenerClose", listener_close);
  define(env, exports, self, "socketFile", socket_file);
}

}  // namespace ipckit::node
