#!/usr/bin/env bash
# The C and C++ tests of native/: plain, or under sanitizers.
#   .ci/lanes/native.sh [plain | address,undefined | thread] [build]     build: and runs none of them
set -euo pipefail
cd "$(dirname "$0")/../.."

name=${1:-plain}
sanitizers=${name/#plain/}
build=build-native-${name/,/-}
cmake -S . -B "$build" -DIPCKIT_SANITIZE="$sanitizers" -DCMAKE_BUILD_TYPE=RelWithDebInfo
cmake --build "$build" --parallel "$(nproc)"
[ "${2:-}" != build ] || exit 0

# ThreadSanitizer of older compilers cannot live with much address space randomisation.
fixed_addresses=()
if [ "$sanitizers" = thread ] && setarch "$(uname -m)" -R true 2>/dev/null; then
  fixed_addresses=(setarch "$(uname -m)" -R)
fi
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=second_deadlock_stack=1
[ -n "$sanitizers" ] || export IPCKIT_FLIPS=all # of every bit: test/native/ring/flip_test.cc
# One after another: the tests share the limits of the kernel.
node scripts/isolated.mjs "${fixed_addresses[@]}" ctest --test-dir "$build" --output-on-failure --no-tests=error
