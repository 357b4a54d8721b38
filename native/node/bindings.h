// One function per file of this folder that adds functions to the addon.
#pragma once

#include "node/environment.h"

namespace ipckit::node {

void define_fifo_queue(Napi::Env env, Napi::Object exports, environment& self);
void define_pipe(Napi::Env env, Napi::Object exports, environment& self);
void define_posix_queue(Napi::Env env, Napi::Object exports, environment& self);
void define_shm_queue(Napi::Env env, Napi::Object exports, environment& self);
void define_sync(Napi::Env env, Napi::Object exports, environment& self);
void define_sysv_queue(Napi::Env env, Napi::Object exports, environment& self);
void define_unix_socket(Napi::Env env, Napi::Object exports, environment& self);
void define_mapping(Napi::Env env, Napi::Object exports, environment& self);
void define_posix_memory(Napi::Env env, Napi::Object exports, environment& self);
void define_sysv_memory(Napi::Env env, Napi::Object exports, environment& self);
void define_posix_semaphore(Napi::Env env, Napi::Object exports, environment& self);
void define_sysv_semaphore(Napi::Env env, Napi::Object exports, environment& self);

}  // namespace ipckit::node
