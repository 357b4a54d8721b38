#!/usr/bin/env bash
# The storms at full length, for the night: a queue in shared memory whose users are killed, stopped, asked to end and
# exit at random.
#   .ci/lanes/storm.sh [KILLS [MIXED KILLS]]     default 1,000,000 of programs in C: 35 minutes on two
#                                                processors; and 1,000 of programs in C, Node and Python
set -euo pipefail
cd "$(dirname "$0")/../.."

kills=${1:-1000000}
mixed_kills=${2:-1000}
build=build-native-plain
node scripts/setup.mjs
cmake -S . -B "$build" -DIPCKIT_SANITIZE= -DCMAKE_BUILD_TYPE=RelWithDebInfo
cmake --build "$build" --parallel "$(nproc)" --target storm
node scripts/isolated.mjs "$build/test/crash/storm" --kills "$kills" --pause 0
IPCKIT_STORM_KILLS=$mixed_kills node scripts/isolated.mjs npx vitest run test/shm/storm.test.ts
