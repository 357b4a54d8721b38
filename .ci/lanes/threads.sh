#!/usr/bin/env bash
# The tests again, each file in a worker thread instead of a process: the addon must not mind. Tests that start
# processes of their own anyway have nothing to gain here.
set -euo pipefail
cd "$(dirname "$0")/../.."
node scripts/setup.mjs
node scripts/isolated.mjs npx vitest run --pool=threads test/codec test/queue test/posix test/sysv
