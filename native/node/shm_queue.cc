// Queues in shared memory, as lib/shm sees them.
#include "node/shm_queue.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "node/args.h"
#include "node/bindings.h"
#include "node/futex_block.h"
#include "node/participants.h"
#include "node/refusal.h"
#include "node/throw.h"
#include "sys/stay_loaded.h"

namespace ipckit::node {

namespace {

class ring_source : public sys::futex_source {
 public:
  ring_source(ipckit_queue_t* queue, uint32_t interest, uint64_t length)
      : queue_(queue), interest_(interest), length_(length) {}

  bool arm(sys::futex_word* word, int64_t* bound_ns) override {
    if (removed_) return false;
    ipckit_wait_word_t words[IPCKIT_WAIT_WORDS];
    if (ipckit_queue_arm(queue_, interest_, length_, words, bound_ns) != 1) return false;
    *word = {words[0].address, words[0].expected};
    return true;
  }
  void sweep() override {
    (void)ipckit_queue_sweep(queue_);
    // Nobody wakes us for this.
    removed_ = ipckit_queue_is_unlinked(queue_) == 1;
  }
  void disarm() override { (void)ipckit_queue_disarm(queue_, interest_); }

 private:
  ipckit_queue_t* queue_;
  uint32_t interest_;
  uint64_t length_;
  bool removed_ = false;
};

}  // namespace

bool shm_queue::was_removed() {
  return removed_.look([this] { return ipckit_queue_is_unlinked(get()) == 1; });
}

int32_t shm_queue::keep(const ipckit_token_t& token) {
  if (free_.empty()) {
    tokens_.push_back(token);
    return static_cast<int32_t>(tokens_.size() - 1);
  }
  const int32_t number = free_.back();
  free_.pop_back();
  tokens_[static_cast<size_t>(number)] = token;
  return number;
}

const ipckit_token_t* shm_queue::token(int32_t number) const {
  if (number < 0 || static_cast<size_t>(number) >= tokens_.size()) return nullptr;
  return &tokens_[static_cast<size_t>(number)];
}

std::unique_ptr<sys::futex_source> shm_queue::source(uint32_t interest, uint64_t length) const {
  return std::make_unique<ring_source>(get(), interest, length);
}

namespace {

constexpr int64_t nanoseconds_per_millisecond = 1'000'000;

int64_t nanoseconds(double milliseconds) {
  return static_cast<int64_t>(milliseconds * static_cast<double>(nanoseconds_per_millisecond));
}

/// ringOpen(name, how, sizes, type): handle. `how`: 0 open, 1 create, 2 either. `sizes`: Float64Array
/// [capacity, deadCapacity, capacityBytes, maxMessageBytes, priorities, participants, maxDeliveries, mode,
/// flags, prefetch], 0 for the default. An empty `type` is any.
napi_value shm_open(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  const std::string name = given.text(0);
  const std::string type = given.text(3);
  const auto sizes = numbers_of<const double>(env, given.raw(2));
  if (sizes.size() < 10) return throw_failure(env, {EINVAL, "open"});
  ipckit_queue_options_t options{};
  options.capacity = static_cast<uint32_t>(sizes[0]);
  options.dead_capacity = static_cast<uint32_t>(sizes[1]);
  options.capacity_bytes = static_cast<uint64_t>(sizes[2]);
  options.max_message_bytes = static_cast<uint64_t>(sizes[3]);
  options.priorities = static_cast<uint32_t>(sizes[4]);
  options.participants = static_cast<uint32_t>(sizes[5]);
  options.max_deliveries = static_cast<uint32_t>(sizes[6]);
  options.mode = static_cast<uint32_t>(sizes[7]);
  options.flags = static_cast<uint32_t>(sizes[8]);
  options.prefetch = static_cast<uint32_t>(sizes[9]);
  options.type_name = type.c_str();
  options.fingerprint = type.empty() ? 0 : ipckit_fingerprint(type.c_str());
  options.participant = "node";
  ipckit_refusal_t refusal{};
  ipckit_queue_t* queue = nullptr;
  const int32_t how = given.integer(1);
  const auto open = how == 0   ? ipckit_queue_open
                    : how == 1 ? ipckit_queue_create
                               : ipckit_queue_open_or_create;
  // The library installs a handler of SIGBUS with the first queue.
  sys::stay_loaded(reinterpret_cast<void*>(&ipckit_queue_open));
  const int result = open(name.c_str(), &options, &refusal, &queue);
  if (result < 0) return throw_refusal(env, result, "open", refusal);
  return to_js(env, given.self().shm_queues.add(shm_queue(queue)));
}

/// ringClose(handle, tokens): gives up the handle, and the events that were asked for with the tokens
napi_value shm_close(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  for (const int32_t token : numbers_of<const int32_t>(env, given.raw(1))) self.waits.words.forget(token);
  // The threads must have let go of the memory before it goes.
  self.waits.words.settle();
  self.shm_queues.remove(given.integer(0));
  return nullptr;
}

/// ringUnlink(name)
napi_value shm_unlink(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const int result = ipckit_queue_unlink(given.text(0).c_str(), nullptr);
  return result == 0 ? nullptr : throw_failure(env, {-result, "unlink"});
}

shm_queue* find(environment& self, int32_t handle) { return self.shm_queues.find(handle); }

/// ringPut(handle, bytes, length, priority): 0 or negative
napi_value shm_put(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const auto bytes = given.bytes(1, static_cast<size_t>(given.integer(2)));
  if (!bytes) return to_js(env, -EFAULT);
  if (queue->was_removed()) return to_js(env, -EIDRM);
  return to_js(env, ipckit_queue_try_put(queue->get(), bytes->data(), bytes->size(),
                                         static_cast<uint32_t>(given.integer(3))));
}

/// ringPutMany(handle, bytes, index, from, count): how many of the batch were put; negative when none was
napi_value shm_put_many(napi_env env, napi_callback_info info) {
  const arguments<5> given(env, info);
  environment& self = given.self();
  shm_queue* queue = find(self, given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  if (queue->was_removed()) return to_js(env, -EIDRM);
  char* bytes = given.bytes(1).data();
  const auto* entries = entries_of<message_entry>(env, given.raw(2), given.integer(3));
  const int32_t count = given.integer(4);
  int32_t put = 0;
  while (put < count) {
    ipckit_slice_t slices[256];
    const int32_t some = std::min(count - put, 256);
    for (int32_t at = 0; at < some; at++) {
      const message_entry& entry = entries[put + at];
      slices[at] = {bytes + entry.offset, static_cast<size_t>(entry.length),
                    static_cast<uint32_t>(entry.label_low)};
    }
    const int64_t result = ipckit_queue_put_many(queue->get(), slices, static_cast<size_t>(some), 0);
    if (result < 0) return to_js(env, put > 0 ? put : static_cast<int32_t>(result));
    put += static_cast<int32_t>(result);
    if (result < some) break;
  }
  return to_js(env, put);
}

/// Enters what was received: the label is priority | delivery count << 8 | number of the delivery << 32.
void enter(environment& self, shm_queue& queue, const ipckit_message_t* messages, int64_t count, bool held) {
  message_entry* entries = self.inbox_entries();
  for (int64_t at = 0; at < count; at++) {
    const ipckit_message_t& one = messages[at];
    const uint32_t deliveries = std::min<uint32_t>(one.delivery_count, 0x7fffff);
    entries[at] = {static_cast<int32_t>(one.offset), static_cast<int32_t>(one.length),
                   static_cast<int32_t>(one.priority | deliveries << 8), held ? queue.keep(one.token) : 0};
  }
}

/// How many messages lie in the inbox now; negative when none does. With -EMSGSIZE the first entry has the
/// room that the next message needs.
template <class Take>
napi_value receive(napi_env env, environment& self, shm_queue* queue, int32_t wanted, bool held, Take take) {
  if (queue == nullptr) return to_js(env, -EBADF);
  ipckit_message_t messages[256];
  const int max = std::min({wanted, self.inbox_room(), 256});
  const int64_t count =
      take(self.inbox.bytes.data, self.inbox.bytes.size, messages, static_cast<size_t>(max));
  if (count == -EMSGSIZE) self.inbox_entries()[0] = {0, static_cast<int32_t>(messages[0].length), 0, 0};
  if (count > 0) enter(self, *queue, messages, count, held);
  return to_js(env, static_cast<int32_t>(queue->or_removed(count)));
}

/// ringGet(handle, max)
napi_value shm_get(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  return receive(env, given.self(), queue, given.integer(1), false,
                 [&](char* slab, size_t size, ipckit_message_t* messages, size_t max) {
                   return ipckit_queue_get_many(queue->get(), slab, size, messages, max, 0);
                 });
}

/// ringLease(handle, max, milliseconds): as ringGet; 0 ms is without end
napi_value shm_lease(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  const int64_t lease = nanoseconds(given.number(2));
  return receive(env, given.self(), queue, given.integer(1), true,
                 [&](char* slab, size_t size, ipckit_message_t* messages, size_t max) {
                   return ipckit_queue_lease_many(queue->get(), slab, size, messages, max, lease, 0);
                 });
}

/// A call that brings one message and leaves what `get` says: 1 when it lies in the inbox.
template <class Get>
napi_value receive_one(napi_env env, const arguments<1>& given, Get get) {
  shm_queue* queue = find(given.self(), given.integer(0));
  return receive(env, given.self(), queue, 1, false,
                 [&](char* slab, size_t size, ipckit_message_t* messages, size_t) -> int64_t {
                   messages[0] = {};
                   const int64_t length = get(queue->get(), slab, size, messages);
                   return length < 0 ? length : 1;
                 });
}

/// ringPeek(handle): a copy of the next message
napi_value shm_peek(napi_env env, napi_callback_info info) {
  return receive_one(env, arguments<1>(env, info), ipckit_queue_peek);
}

/// ringGetDead(handle): takes the oldest dead letter
napi_value shm_get_dead(napi_env env, napi_callback_info info) {
  return receive_one(env, arguments<1>(env, info), ipckit_queue_get_dead);
}

/// ringSettle(handle, number, what, milliseconds): ends a delivery, or extends it: 0 or negative. `what`: 0
/// ack, 1 nack with a delay, 2 reject, 3 extend
napi_value shm_settle(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const int32_t number = given.integer(1);
  const ipckit_token_t* token = queue->token(number);
  if (token == nullptr) return to_js(env, IPCKIT_E_STALE);
  const int64_t time = nanoseconds(given.number(3));
  switch (given.integer(2)) {
    case 0:
      return to_js(env, ipckit_queue_ack(queue->get(), token));
    case 1:
      return to_js(env, ipckit_queue_nack(queue->get(), token, time));
    case 2:
      return to_js(env, ipckit_queue_reject(queue->get(), token));
    default:
      return to_js(env, ipckit_queue_extend(queue->get(), token, time));
  }
}

/// ringDrop(handle, number): the delivery is over, and its number may be used again
napi_value shm_drop(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  if (shm_queue* queue = find(given.self(), given.integer(0))) queue->drop(given.integer(1));
  return nullptr;
}

/// ringTaskDone(handle): 0 or negative
napi_value shm_task_done(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  return to_js(env, queue == nullptr ? -EBADF : ipckit_queue_task_done(queue->get()));
}

/// ringJoin(handle): 0 when nothing is pending, -EAGAIN when something is, or negative
napi_value shm_join(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const int result = ipckit_queue_join(queue->get(), 0);
  return to_js(env, static_cast<int32_t>(queue->or_removed(result == -ETIMEDOUT ? -EAGAIN : result)));
}

/// ringShutdown(handle, immediate): 0 or negative
napi_value shm_shutdown(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  return to_js(env, queue == nullptr ? -EBADF : ipckit_queue_shutdown(queue->get(), given.integer(1)));
}

/// ringClear(handle): how many messages were removed, or negative
napi_value shm_clear(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  return to_js(env, queue == nullptr ? int64_t{-EBADF} : ipckit_queue_clear(queue->get()));
}

/// ringStatus(handle, Float64Array [depth, delayed, inFlight, dead, totalPut, totalDone, totalRedelivered,
/// totalExpired, totalDead, totalDropped, recoveries, capacity, capacityBytes, freeBytes, maxMessageBytes,
/// sizeBytes, created, deadCapacity, priorities, maxDeliveries, state, flags, participants, maxParticipants,
/// uid, mode, unlinked]): the name of the type
napi_value shm_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "stat"});
  ipckit_queue_stat_t now{};
  const int result = ipckit_queue_stat(queue->get(), &now);
  if (result < 0) return throw_failure(env, {-result, "stat"});
  const auto number = [](uint64_t value) { return static_cast<double>(value); };
  fill(env, given.raw(1),
       {number(now.depth),
        number(now.delayed),
        number(now.in_flight),
        number(now.dead),
        number(now.total_put),
        number(now.total_done),
        number(now.total_redelivered),
        number(now.total_expired),
        number(now.total_dead),
        number(now.total_dropped),
        number(now.recoveries),
        number(now.capacity),
        number(now.capacity_bytes),
        number(now.free_bytes),
        number(now.max_message_bytes),
        number(now.size_bytes),
        number(now.created),
        number(now.dead_capacity),
        number(now.priorities),
        number(now.max_deliveries),
        number(now.state),
        number(now.flags),
        number(now.participants),
        number(now.max_participants),
        number(now.owner),
        number(now.mode),
        number(now.unlinked)});
  return Napi::String::New(env, now.type_name);
}

/// ringParticipants(handle): see participants_to_js
napi_value shm_participants(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  if (queue == nullptr) return throw_failure(env, {EBADF, "participants"});
  std::vector<ipckit_participant_t> attached(most_participants);
  const int count = ipckit_queue_participants(queue->get(), attached.data(), attached.size());
  if (count < 0) return throw_failure(env, {-count, "participants"});
  return participants_to_js(env, attached, static_cast<size_t>(count));
}

/// ringArm(handle, token, interest, length): asks for one event of the token; 0 or -errno
napi_value shm_arm(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const sys::outcome<sys::nothing> asked = given.self().waits.words.wait(
      given.integer(1),
      queue->source(static_cast<uint32_t>(given.integer(2)), static_cast<uint64_t>(given.whole(3))));
  return to_js(env, asked.ok() ? 0 : -asked.why().error);
}

/// ringForget(token): takes the question back
napi_value shm_forget(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  given.self().waits.words.forget(given.integer(0));
  return nullptr;
}

/// ringWait(handle, interest, length, milliseconds): blocks until trying may be worth it: 1; 0 not in time;
/// -EINTR after a signal that ends waits; or negative
napi_value shm_wait(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  environment& self = given.self();
  shm_queue* queue = find(self, given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  const std::unique_ptr<sys::futex_source> source =
      queue->source(static_cast<uint32_t>(given.integer(1)), static_cast<uint64_t>(given.whole(2)));
  return to_js(env, block_at(self, *source, given.number(3)));
}

/// ringPoll(handle, interest, length, milliseconds): looks without sleeping: 1 when trying may be worth it, 0
/// when nothing came; -EBUSY when looking does not pay, or otherwise negative
napi_value shm_poll(napi_env env, napi_callback_info info) {
  const arguments<4> given(env, info);
  shm_queue* queue = find(given.self(), given.integer(0));
  if (queue == nullptr) return to_js(env, -EBADF);
  return to_js(env, ipckit_queue_poll(queue->get(), static_cast<uint32_t>(given.integer(1)),
                                      static_cast<uint64_t>(given.whole(2)), nanoseconds(given.number(3))));
}

/// ringVectors(): whether one thread can sleep at many words
napi_value shm_vectors(napi_env env, napi_callback_info) {
  napi_value result = nullptr;
  napi_get_boolean(env, sys::futex_waits::kernel_has_vectors(), &result);
  return result;
}

}  // namespace

void define_shm_queue(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "ringOpen", shm_open);
  define(env, exports, self, "ringClose", shm_close);
  define(env, exports, self, "ringUnlink", shm_unlink);
  define(env, exports, self, "ringPut", shm_put);
  define(env, exports, self, "ringPutMany", shm_put_many);
  define(env, exports, self, "ringGet", shm_get);
  define(env, exports, self, "ringLease", shm_lease);
  define(env, exports, self, "ringPeek", shm_peek);
  define(env, exports, self, "ringGetDead", shm_get_dead);
  define(env, exports, self, "ringSettle", shm_settle);
  define(env, exports, self, "ringDrop", shm_drop);
  define(env, exports, self, "ringTaskDone", shm_task_done);
  define(env, exports, self, "ringJoin", shm_join);
  define(env, exports, self, "ringShutdown", shm_shutdown);
  define(env, exports, self, "ringClear", shm_clear);
  define(env, exports, self, "ringStatus", shm_status);
  define(env, exports, self, "ringParticipants", shm_participants);
  define(env, exports, self, "ringArm", shm_arm);
  define(env, exports, self, "ringForget", shm_forget);
  define(env, exports, self, "ringWait", shm_wait);
  define(env, exports, self, "ringPoll", shm_poll);
  define(env, exports, self, "ringVectors", shm_vectors);
}

}  // namespace ipckit::node
