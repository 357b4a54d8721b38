#!/usr/bin/env bash
# libFuzzer with the address and undefined behaviour sanitizers on the queue in shared memory: opening a file,
# calls on overwritten words, and recovery. Prints seeds, executions and coverage; fails on any finding, whose
# input then lies in build-fuzz/.
#   .ci/lanes/fuzz.sh [seconds of each, default 20 [fuzzer...]]
set -euo pipefail
cd "$(dirname "$0")/../.."
.ci/lanes/tools.sh >/dev/null

seconds=${1:-20}
fuzzers=("${@:2}")
[ ${#fuzzers[@]} -gt 0 ] || fuzzers=(open decode recover)
build=build-fuzz
mkdir -p "$build"
export UBSAN_OPTIONS=print_stacktrace=1

for fuzzer in "${fuzzers[@]}"; do
  # 128-byte rows of a file that is mapped at a page: alignment is checked as everything else.
  clang -std=c11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror -Iinclude -Inative \
    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
    -Wl,--wrap=mmap -Wl,--wrap=munmap -o "$build/$fuzzer" \
    "test/fuzz/${fuzzer}_fuzzer.c" test/fuzz/fuzz.c native/ring/*.c native/shared/*.c -lpthread
  corpus=$build/$fuzzer-corpus
  rm -rf "$corpus" && mkdir "$corpus"
  IPCKIT_FUZZ_SEEDS=$corpus node scripts/isolated.mjs "$build/$fuzzer"
  seed=$((RANDOM * 32768 + RANDOM + 1))
  printf '%s: %d seed inputs, seed %d, %d s\n' "$fuzzer" "$(find "$corpus" -type f | wc -l)" "$seed" "$seconds"
  # A handle and its lists are small; no allocation may follow from what a file says.
  if ! node scripts/isolated.mjs "$build/$fuzzer" -seed="$seed" -max_total_time="$seconds" -max_len=700 -timeout=20 \
    -malloc_limit_mb=4 -rss_limit_mb=1024 -artifact_prefix="$build/$fuzzer-" -print_final_stats=1 "$corpus" \
    >"$build/$fuzzer.log" 2>&1; then
    tail -60 "$build/$fuzzer.log"
    echo "$fuzzer: FOUND SOMETHING"
    exit 1
  fi
  grep -E 'DONE|stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "$build/$fuzzer.log"
done
