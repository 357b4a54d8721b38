// One function per file of this folder that adds functions to the addon.
#pragma once

#include "node/environment.h"

namespace ipckit::node {

void define_posix_queue(Napi::Env env, Napi::Object exports, environment& self);
void define_shm_queue(Napi::Env env, Napi::Object exports, environment& self);
void define_sysv_queue(Napi::Env env, Napi::Object exports, environment& self);

}  // namespace ipckit::node
