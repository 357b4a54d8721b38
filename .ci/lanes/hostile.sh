#!/usr/bin/env bash
# A hostile writer over the whole mapping of a queue against four victims, under the address and undefined
# behaviour sanitizers, with guards around the mapping and canaries around the buffers.
#   .ci/lanes/hostile.sh [seconds, default 20]
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build-native-address-undefined
cmake -S . -B "$build" -DIPCKIT_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=RelWithDebInfo
cmake --build "$build" --parallel "$(nproc)" --target hostile
export UBSAN_OPTIONS=print_stacktrace=1
node scripts/isolated.mjs "$build/test/native/ring/hostile" --seconds "${1:-20}"
