// Threads of our own: small, and deaf to the signals that are sent to the host.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <list>
#include <memory>

#include "sys/outcome.h"

namespace ipckit::sys {

/// Starts a thread in which all signals are blocked but those that tell of an error of its own: a SIGBUS that
/// is blocked ends the process, whatever handler there is (sys/bus_guard.h, shared/guard.c). Not std::thread,
/// which ends the process when no thread can be made.
inline outcome<pthread_t> start_thread(void* (*entry)(void*), void* argument) {
  // A blocked system call needs little; glibc's default of 8 MiB each would show as address space.
  constexpr size_t stack_bytes = 128 * 1024;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  sigset_t deaf;
  sigset_t before;
  sigfillset(&deaf);
  for (const int own : {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP}) sigdelset(&deaf, own);
  // A thread inherits the mask of the one that makes it.
  pthread_sigmask(SIG_SETMASK, &deaf, &before);
  pthread_t thread{};
  const int error = pthread_create(&thread, &attributes, entry, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) return failure{error, "pthread_create"};
  return thread;
}

/// Adds a worker to the list, with a thread that does `Run` of its owner with it. The caller holds what
/// guards the list.
template <auto Run, class Owner, class Worker>
outcome<Worker*> start_worker(Owner& owner, std::list<Worker>& workers) {
  struct beginning {
    Owner* owner;
    Worker* self;
  };
  Worker& fresh = workers.emplace_back();
  auto argument = std::make_unique<beginning>(beginning{&owner, &fresh});
  const outcome<pthread_t> started = start_thread(
      [](void* given) -> void* {
        const std::unique_ptr<beginning> at(static_cast<beginning*>(given));
        (at->owner->*Run)(*at->self);
        return nullptr;
      },
      argument.get());
  if (!started.ok()) {
    workers.pop_back();
    return started.why();
  }
  (void)argument.release();
  fresh.thread = started.value();
  return &fresh;
}

}  // namespace ipckit::sys
