#!/usr/bin/env bash
# The queue in shared memory under SIGKILL: at every instruction, at random ones, in recoveries, and in a storm.
#   .ci/lanes/crash.sh [short | long]     three minutes, or some hours
# The storms at full length are a lane of their own, storm.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

length=${1:-short}
build=build-native-plain
cmake -S . -B "$build" -DIPCKIT_SANITIZE= -DCMAKE_BUILD_TYPE=RelWithDebInfo
cmake --build "$build" --parallel "$(nproc)" --target every_instruction storm
run() { node scripts/isolated.mjs "$build/test/crash/$@"; }

run every_instruction --snapshots
if [ "$length" = long ]; then
  run every_instruction --snapshots --recovery
  run every_instruction --full
  run every_instruction --pause --seconds 1200
else
  run every_instruction --seconds 15
  run every_instruction --seconds 15 --recovery
  run every_instruction --pause --seconds 20
  run storm --seconds 60
fi
