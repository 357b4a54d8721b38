// A call that blocks the thread that runs JavaScript, for one slice of time.
#pragma once

#include "node/environment.h"
#include "sys/deadline.h"
#include "sys/stop_condition.h"

namespace ipckit::node {

/// Makes a call that blocks this thread until the alarm rings or the user ends the process: -ETIMEDOUT,
/// -EINTR, or what thread_alarm::attach says. The alarm is set before the call and rings until it is stopped,
/// so the call cannot miss it.
template <class Call>
int block(environment& self, double milliseconds, Call call) {
  if (const int attached = self.alarm.attach(); attached != 0) return attached;
  // A signal that came before this call ends it too.
  if (self.is_interrupted()) return -EINTR;
  struct watching {
    sys::deadline until;
    const environment& self;
  };
  const watching context{sys::deadline::in_milliseconds(milliseconds), self};
  const sys::stop_condition over{[](const void* pointer) {
                                   const auto* now = static_cast<const watching*>(pointer);
                                   return now->until.expired() ||
                                          (now->self.termination && now->self.termination->signal() != 0);
                                 },
                                 &context};
  self.alarm.start(context.until.remaining());
  const int result = call(over);
  self.alarm.stop();
  return result == -EINTR && !self.is_interrupted() ? -ETIMEDOUT : result;
}

/// Makes a call that waits with poll(2) until a deadline, again after signals that do not end waits: its
/// result, or -EINTR.
template <class Wait>
int block_by_polling(environment& self, double milliseconds, Wait wait) {
  const sys::deadline until = sys::deadline::in_milliseconds(milliseconds);
  for (;;) {
    // A signal that came before this call, or too early to interrupt it, ends it too.
    if (self.is_interrupted()) return -EINTR;
    const int result = wait(until);
    if (result != -EINTR) return result;
  }
}

}  // namespace ipckit::node
