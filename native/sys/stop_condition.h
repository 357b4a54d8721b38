// What a blocking call asks when a signal has interrupted it.
#pragma once

namespace ipckit::sys {

/// Asked whenever a signal interrupted a blocking call: true ends the wait with -EINTR.
struct stop_condition {
  bool (*ask)(const void* context);
  const void* context;
  bool holds() const { return ask(context); }
};

}  // namespace ipckit::sys
