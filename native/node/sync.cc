// Locks, semaphores, conditions, events, barriers and values in shared memory, as lib/sync sees them.
#include "ipckit/sync.h"

#include <fcntl.h>

#include "ipckit/layout.h"
#include "node/args.h"
#include "node/bindings.h"
#include "node/futex_block.h"
#include "node/participants.h"
#include "node/refusal.h"
#include "node/throw.h"
#include "sys/stay_loaded.h"

namespace ipckit::node {

namespace {

/// How a try ended, where that is more than a negative error: see lib/sync/gate.ts.
constexpr int done = 0;
constexpr int done_after_death = 1;

sync_object* find(environment& self, int32_t handle) { return self.sync_objects.find(handle); }

/// What JavaScript is told of a try.
int32_t answer(sync_object& object, int result, const ipckit_wait_t& facts) {
  if (result == 0) return facts.owner_died != 0 ? done_after_death : done;
  // Whoever would wait for what nobody finds any more is told.
  return result == -EAGAIN && object.was_removed() ? -EIDRM : result;
}

/// syncOpen(name, how, kind, numbers, type, initial): handle. `how`: 0 open, 1 create, 2 either. `numbers`:
/// Float64Array [value, bytes, participants, waiters, mode, flags], 0 for the default. An empty `type` is
/// any.
napi_value sync_open(napi_env env, napi_callback_info info) {
  const arguments<6> given(env, info);
  const std::string name = given.text(0);
  const std::string type = given.text(4);
  const std::span<char> initial = given.bytes(5);
  const auto numbers = numbers_of<const double>(env, given.raw(3));
  if (numbers.size() < 6) return throw_failure(env, {EINVAL, "open"});
  ipckit_sync_options_t options{};
  options.kind = static_cast<uint32_t>(given.integer(2));
  options.value = static_cast<uint32_t>(numbers[0]);
  options.bytes = static_cast<uint64_t>(numbers[1]);
  options.participants = static_cast<uint32_t>(numbers[2]);
  options.waiters = static_cast<uint32_t>(numbers[3]);
  options.mode = static_cast<uint32_t>(numbers[4]);
  options.flags = static_cast<uint32_t>(numbers[5]);
  options.type_name = type.c_str();
  options.fingerprint = type.empty() ? 0 : ipckit_fingerprint(type.c_str());
  if (!initial.empty() && initial.size() == options.bytes) options.initial = initial.data();
  options.participant = "node";
  ipckit_refusal_t refusal{};
  ipckit_sync_t* object = nullptr;
  const int32_t how = given.integer(1);
  const auto open = how == 0 ? ipckit_sync_open : how == 1 ? ipckit_sync_create : ipckit_sync_open_or_create;
  // The library installs a handler of SIGBUS with the first object.
  sys::stay_loaded(reinterpret_cast<void*>(&ipckit_sync_open));
  const int result = open(name.c_str(), &options, &refusal, &object);
  if (result < 0) return throw_refusal(env, result, "open", refusal);
  return to_js(env, given.self().sync_objects.add(sync_object(object)));
}

/// syncClose(handle, tokens): gives up the handle, what it holds, and the events that were asked for
napi_value sync_close(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  environment& self = given.self();
  sync_object* object = find(self, given.integer(0));
  if (object == nullptr) return nullptr;
  for (const int32_t token : numbers_of<const int32_t>(env, given.raw(1))) self.waits.words.forget(token);
  // The threads must have let go of the memory before it goes.
  self.waits.words.settle();
  object->close();
  self.sync_objects.remove(given.integer(0));
  return nullptr;
}

/// syncUnlink(name)
napi_value sync_unlink(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const int result = ipckit_sync_unlink(given.text(0).c_str(), nullptr);
  return result == 0 ? nullptr : throw_failure(env, {-result, "unlink"});
}

/// The one caller of this environment: see lib/sync/gate.ts.
constexpr uint64_t agent = 1;

int32_t try_once(sync_object& object, ipckit_wait_t& facts) {
  // What nobody finds any more keeps nobody out.
  if (object.was_removed()) return -EIDRM;
  const int result = ipckit_sync_wait(object.get(), &facts, 0);
  if (facts.owner_died != 0) object.remember_death(facts);
  return answer(object, result, facts);
}

/// 0, the usual result, as undefined, which costs nothing to make.
napi_value unless_done(napi_env env, int32_t result) { return result == 0 ? nullptr : to_js(env, result); }

/// syncAcquire(handle): as syncTry for one of whatever the object is. Each argument would cost 3 ns.
napi_value sync_acquire(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return to_js(env, -EBADF);
  ipckit_wait_t facts{};
  facts.operation = IPCKIT_ACQUIRE;
  facts.agent = agent;
  return unless_done(env, try_once(*object, facts));
}

/// syncReleaseOne(handle): gives back one of what syncAcquire took: undefined, or negative
napi_value sync_release_one(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return to_js(env, -EBADF);
  return unless_done(env, ipckit_sync_release(object->get(), agent, 1));
}

/// syncTry(handle, operation, count): 0 done, 1 done and the holder before died (see syncDead), -EAGAIN
/// when it would have to wait, or negative
napi_value sync_try(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return to_js(env, -EBADF);
  ipckit_wait_t facts{};
  facts.operation = static_cast<uint32_t>(given.integer(1));
  facts.count = static_cast<uint32_t>(given.integer(2));
  facts.agent = agent;
  return to_js(env, try_once(*object, facts));
}

/// syncBegin(handle, operation, count): announces a wait: its number, for syncAttempt and the others
napi_value sync_begin(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return to_js(env, -EBADF);
  if (object->was_removed()) return to_js(env, -EIDRM);
  return to_js(env, object->begin(static_cast<uint32_t>(given.integer(1)),
                                  static_cast<uint32_t>(given.integer(2)), agent));
}

/// syncAttempt(handle, wait): as syncTry, of a wait that has begun; 2 when the barrier's action is this one's
napi_value sync_attempt(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sync_object* object = find(given.self(), given.integer(0));
  sync_object::wait* wait = object == nullptr ? nullptr : object->find(given.integer(1));
  if (wait == nullptr) return to_js(env, -EBADF);
  if (wait->result == -EAGAIN) wait->result = ipckit_sync_try(object->get(), &wait->facts);
  if (wait->facts.owner_died != 0) object->remember_death(wait->facts);
  return to_js(env, answer(*object, wait->result, wait->facts));
}

/// syncCancel(handle, wait): takes a wait back: 0; 1 when it was done already, and is the caller's; or
/// negative
napi_value sync_cancel(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sync_object* object = find(given.self(), given.integer(0));
  sync_object::wait* wait = object == nullptr ? nullptr : object->find(given.integer(1));
  if (wait == nullptr) return to_js(env, -EBADF);
  // The turn for the action of a barrier is taken back as a wait is.
  if (wait->result != -EAGAIN && wait->result != IPCKIT_BARRIER_ACTION) {
    return to_js(env, wait->result == 0 ? 1 : 0);
  }
  const int result = ipckit_sync_cancel(object->get(), &wait->facts);
  if (result == 1 && wait->facts.owner_died != 0) object->remember_death(wait->facts);
  return to_js(env, result);
}

/// syncEnd(handle, wait): it is over, and its number may be used again: the index that a barrier gave
napi_value sync_end(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sync_object* object = find(given.self(), given.integer(0));
  const sync_object::wait* wait = object == nullptr ? nullptr : object->find(given.integer(1));
  if (wait == nullptr) return to_js(env, -EBADF);
  const int32_t index = static_cast<int32_t>(wait->facts.index);
  object->drop(given.integer(1));
  return to_js(env, index);
}

/// syncDead(handle): {pid, name} of the dead holder that was told last
napi_value sync_dead(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return nullptr;
  Napi::Object dead = Napi::Object::New(env);
  dead.Set("pid", object->last_death().pid);
  dead.Set("name", object->last_death().name);
  return dead;
}

/// syncArm(handle, wait, token): asks for one event of the token, when trying is worth it; 0, 1 when it is
/// now, or -errno
napi_value sync_arm(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  sync_object* object = find(given.self(), given.integer(0));
  const sync_object::wait* wait = object == nullptr ? nullptr : object->find(given.integer(1));
  if (wait == nullptr) return to_js(env, -EBADF);
  // It was done when it began: no word would ever tell.
  if (wait->result != -EAGAIN) return to_js(env, 1);
  const sys::outcome<sys::nothing> asked =
      given.self().waits.words.wait(given.integer(2), object->source(*wait));
  return to_js(env, asked.ok() ? 0 : -asked.why().error);
}

/// syncBlock(handle, wait, milliseconds): blocks until trying may be worth it: 1; 0 not in time; -EINTR after
/// a signal that ends waits; or negative
napi_value sync_block(napi_env env, napi_callback_info info) {
  const arguments<3> given(env, info);
  sync_object* object = find(given.self(), given.integer(0));
  const sync_object::wait* wait = object == nullptr ? nullptr : object->find(given.integer(1));
  if (wait == nullptr) return to_js(env, -EBADF);
  if (wait->result != -EAGAIN) return to_js(env, 1);
  return to_js(env, block_at(given.self(), *object->source(*wait), given.number(2)));
}

/// syncRelease(handle, count): 0 or negative
napi_value sync_release(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return to_js(env, -EBADF);
  return to_js(env, ipckit_sync_release(object->get(), agent, static_cast<uint32_t>(given.integer(1))));
}

/// A call of the library that takes the handle and nothing else.
template <int Call(ipckit_sync_t*)>
napi_value simple(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  return to_js(env, object == nullptr ? -EBADF : Call(object->get()));
}

/// conditionNotify(handle, count): how many were woken, or negative
napi_value condition_notify(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return to_js(env, -EBADF);
  return to_js(env, ipckit_condition_notify(object->get(), static_cast<uint32_t>(given.number(1))));
}

/// barrierActionDone(handle, wait): lets everyone through; 0 or negative
napi_value barrier_action_done(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  sync_object* object = find(given.self(), given.integer(0));
  sync_object::wait* wait = object == nullptr ? nullptr : object->find(given.integer(1));
  if (wait == nullptr) return to_js(env, -EBADF);
  return to_js(env, ipckit_barrier_action_done(object->get(), &wait->facts));
}

/// syncHolds(handle): how often it is held; 0 when it is not; -EIDRM when the name is gone; or negative
napi_value sync_holds(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return to_js(env, -EBADF);
  if (ipckit_sync_is_unlinked(object->get()) == 1) return to_js(env, -EIDRM);
  return to_js(env, ipckit_sync_holds(object->get(), agent));
}

/// The numbers of lib/sync/stat.ts, in its order; returns the name of the type.
napi_value lay_stat(napi_env env, napi_value out, const ipckit_sync_stat_t& now) {
  const auto number = [](uint64_t value) { return static_cast<double>(value); };
  fill(env, out,
       {number(now.kind), number(now.value), number(now.limit), number(now.held),
        now.holder_slot == IPCKIT_LAYOUT_NONE ? -1 : number(now.holder_slot), number(now.holder_pid),
        number(now.held_since), number(now.waiters), number(now.broken), number(now.owner_died),
        number(now.participants), number(now.max_participants), number(now.owner), number(now.mode),
        number(now.unlinked), number(now.recoveries), number(now.created), number(now.size_bytes),
        number(now.bytes)});
  return Napi::String::New(env, now.type_name);
}

/// syncStatus(handle, Float64Array): see lay_stat
napi_value sync_status(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return throw_failure(env, {EBADF, "stat"});
  // What the dead held is told as what it is, also when nobody has asked for it since.
  (void)ipckit_sync_sweep(object->get());
  ipckit_sync_stat_t now{};
  const int result = ipckit_sync_stat(object->get(), &now);
  return result < 0 ? throw_failure(env, {-result, "stat"}) : lay_stat(env, given.raw(1), now);
}

/// syncLook(name, Float64Array): the same of what has that name, without opening it
napi_value sync_look(napi_env env, napi_callback_info info) {
  const arguments<2> given(env, info);
  ipckit_sync_stat_t now{};
  const int result = ipckit_sync_look(given.text(0).c_str(), nullptr, &now);
  return result < 0 ? throw_failure(env, {-result, "open"}) : lay_stat(env, given.raw(1), now);
}

/// syncIdentity(handle): a text that all handles on one object have, and no other object has
napi_value sync_identity(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return throw_failure(env, {EBADF, "stat"});
  ipckit_sync_stat_t now{};
  const int result = ipckit_sync_stat(object->get(), &now);
  if (result < 0) return throw_failure(env, {-result, "stat"});
  return Napi::String::New(env, std::to_string(now.id[0]) + '.' + std::to_string(now.id[1]));
}

/// syncParticipants(handle): see participants_to_js
napi_value sync_participants(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return throw_failure(env, {EBADF, "participants"});
  std::vector<ipckit_participant_t> attached(most_participants);
  const int count = ipckit_sync_participants(object->get(), attached.data(), attached.size());
  if (count < 0) return throw_failure(env, {-count, "participants"});
  return participants_to_js(env, attached, static_cast<size_t>(count));
}

/// syncMap(handle): the bytes of a value as memory of its own, up to a multiple of 8: a handle of the map
/// calls
napi_value sync_map(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  environment& self = given.self();
  const sync_object* object = find(self, given.integer(0));
  if (object == nullptr) return throw_failure(env, {EBADF, "mmap"});
  size_t length = 0;
  void* const bytes = ipckit_value_bytes(object->get(), &length);
  if (bytes == nullptr) return throw_failure(env, {EINVAL, "mmap"});
  sys::outcome<std::unique_ptr<sys::mapping>> made = sys::mapping::of_shared(bytes, (length + 7) / 8 * 8);
  if (!made.ok()) return throw_failure(env, made.why());
  open_memory memory;
  memory.pages = std::move(made.value());
  return to_js(env, self.memories.add(std::move(memory)));
}

/// syncDuplicate(handle): a duplicate of its descriptor, or -errno
napi_value sync_duplicate(napi_env env, napi_callback_info info) {
  const arguments<1> given(env, info);
  const sync_object* object = find(given.self(), given.integer(0));
  if (object == nullptr) return to_js(env, -EBADF);
  const int descriptor = ipckit_sync_descriptor(object->get());
  if (descriptor < 0) return to_js(env, descriptor);
  const int duplicate = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  return to_js(env, duplicate < 0 ? -errno : duplicate);
}

}  // namespace

void define_sync(Napi::Env env, Napi::Object exports, environment& self) {
  define(env, exports, self, "syncOpen", sync_open);
  define(env, exports, self, "syncClose", sync_close);
  define(env, exports, self, "syncUnlink", sync_unlink);
  define(env, exports, self, "syncAcquire", sync_acquire);
  define(env, exports, self, "syncReleaseOne", sync_release_one);
  define(env, exports, self, "syncTry", sync_try);
  define(env, exports, self, "syncBegin", sync_begin);
  define(env, exports, self, "syncAttempt", sync_attempt);
  define(env, exports, self, "syncCancel", sync_cancel);
  define(env, exports, self, "syncEnd", sync_end);
  define(env, exports, self, "syncDead", sync_dead);
  define(env, exports, self, "syncArm", sync_arm);
  define(env, exports, self, "syncBlock", sync_block);
  define(env, exports, self, "syncRelease", sync_release);
  define(env, exports, self, "syncReleaseShared", simple<ipckit_sync_release_shared>);
  define(env, exports, self, "eventSet", simple<ipckit_event_set>);
  define(env, exports, self, "eventClear", simple<ipckit_event_clear>);
  define(env, exports, self, "eventIsSet", simple<ipckit_event_is_set>);
  define(env, exports, self, "conditionNotify", condition_notify);
  define(env, exports, self, "barrierActionDone", barrier_action_done);
  define(env, exports, self, "barrierAbort", simple<ipckit_barrier_abort>);
  define(env, exports, self, "barrierReset", simple<ipckit_barrier_reset>);
  define(env, exports, self, "syncHolds", sync_holds);
  define(env, exports, self, "syncStatus", sync_status);
  define(env, exports, self, "syncLook", sync_look);
  define(env, exports, self, "syncIdentity", sync_identity);
  define(env, exports, self, "syncParticipants", sync_participants);
  define(env, exports, self, "syncVerify", simple<ipckit_sync_verify>);
  define(env, exports, self, "syncMap", sync_map);
  define(env, exports, self, "syncDuplicate", sync_duplicate);
}

}  // namespace ipckit::node
