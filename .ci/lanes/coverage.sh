#!/usr/bin/env bash
# Line and branch coverage of the C core by its tests, per file; fails below a floor that lies just under what is
# reached. docs/proofs.md says what is not reached and why.
#   .ci/lanes/coverage.sh [lines]     with the numbers of the lines that no test reaches
set -euo pipefail
cd "$(dirname "$0")/../.."
.ci/lanes/tools.sh >/dev/null

lines_floor=98
branches_floor=87
build=build-coverage
cmake -S . -B "$build" -DIPCKIT_SANITIZE= -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS='--coverage -fprofile-update=atomic' \
  -DCMAKE_CXX_FLAGS=-DIPCKIT_COVERAGE -DCMAKE_EXE_LINKER_FLAGS=--coverage -DCMAKE_SHARED_LINKER_FLAGS=--coverage
cmake --build "$build" --parallel "$(nproc)" --target ring_tests sync_tests
find "$build" -name '*.gcda' -delete

# Each test is a process of its own, as in the other lanes.
for core in ring sync; do
  node scripts/isolated.mjs ctest --test-dir "$build/test/native/$core" --output-on-failure --no-tests=error >"$build/tests.log" ||
    { cat "$build/tests.log" && exit 1; }
  tail -3 "$build/tests.log"
done

report=(gcovr --root . --filter 'native/(ring|shared|sync)/' --object-directory "$build" --gcov-ignore-parse-errors
  "$build/native/libipckit")
[ "${1:-}" != lines ] || "${report[@]}"
"${report[@]}" --json-summary "$build/summary.json" >/dev/null
python3 - "$build/summary.json" "$lines_floor" "$branches_floor" <<'PROGRAM'
import json
import sys

with open(sys.argv[1]) as file:
    summary = json.load(file)
print(f"{'file':28}{'lines':>14}{'':>8}{'branches':>14}")


def row(name, of):
    branches = 100.0 if of["branch_percent"] is None else of["branch_percent"]
    print(
        f"{name:28}{of['line_covered']:>6} /{of['line_total']:>6}{of['line_percent']:>7}%"
        f"{of['branch_covered']:>6} /{of['branch_total']:>6}{branches:>7}%"
    )


for one in summary["files"]:
    row(one["filename"], one)
row("all", summary)
failed = summary["line_percent"] < float(sys.argv[2]) or summary["branch_percent"] < float(sys.argv[3])
print(f"floor: {sys.argv[2]} % of the lines, {sys.argv[3]} % of the branches{': NOT REACHED' if failed else ''}")
sys.exit(failed)
PROGRAM
