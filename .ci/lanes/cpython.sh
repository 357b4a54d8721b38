#!/usr/bin/env bash
# CPython's own test classes, with the locks and queues of the package in interop/python in place of
# multiprocessing's. Takes the first Python that has its tests with it: $PYTHON, or the one on PATH. On Debian they
# are in libpython3.11-testsuite.
set -euo pipefail
cd "$(dirname "$0")/../.."

make --silent -C interop/c
for candidate in "${PYTHON:-}" python3; do
  [ -n "$candidate" ] && "$candidate" -c 'import test._test_multiprocessing' 2>/dev/null || continue
  "$candidate" --version
  export IPCKIT_LIBRARY=$PWD/build-interop/libipckit.so.1 PYTHONPATH=$PWD/interop/python
  cd interop/python/tests
  exec node ../../../scripts/isolated.mjs timeout 600 "$candidate" -B -m unittest cpython_test
done
echo 'no Python here has its tests with it (apt-get install libpython3.11-testsuite)' >&2
exit 1
