#!/usr/bin/env bash
# The queue in shared memory, and locks and friends, under SIGKILL: at every instruction, at random ones, in recoveries,
# and in storms.
#   .ci/lanes/crash.sh [short | long]     three minutes, or some hours
# The storm of a million kills at the queue is a lane of its own, storm.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."

length=${1:-short}
build=build-native-plain
cmake -S . -B "$build" -DIPCKIT_SANITIZE= -DCMAKE_BUILD_TYPE=RelWithDebInfo
cmake --build "$build" --parallel "$(nproc)" --target every_instruction every_instruction_sync storm swallowed_wake sync_storm
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# What was violated is said again at the end, where it is read first.
run() {
  node scripts/isolated.mjs "$build/test/crash/$@" | tee "$said" || {
    echo "$1 failed:" && grep VIOLATION "$said" | head -n 6
    exit 1
  }
}

run every_instruction --snapshots
run every_instruction_sync
run swallowed_wake
if [ "$length" = long ]; then
  run every_instruction --snapshots --recovery
  run every_instruction --full
  run every_instruction --pause --seconds 1200
  run every_instruction_sync --recovery
  run every_instruction_sync --full
  run sync_storm --seconds 3600
else
  run every_instruction --seconds 15
  run every_instruction --seconds 15 --recovery
  run every_instruction --pause --seconds 20
  run every_instruction_sync --seconds 10 --recovery
  run storm --seconds 60
  run sync_storm --seconds 15
fi
