// Keeping this library in the process: a worker thread that loaded the addon alone unloads it when it ends,
// and what the process holds on to (a handler of signals) must stay.
#pragma once

#include <dlfcn.h>

namespace ipckit::sys {

/// `within` is the address of anything in the library.
inline void stay_loaded(const void* within) {
  Dl_info self{};
  if (::dladdr(within, &self) == 0) return;
  (void)::dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace ipckit::sys
