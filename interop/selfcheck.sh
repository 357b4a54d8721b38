#!/bin/sh
# Builds the peers and lets C and Python talk to each other over both kernels' queues, in an IPC namespace of its
# own: nothing of the machine is touched, and the limits are those of a fresh system.
# $BUILD and $PYTHON choose another build directory and another Python.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$here/../build-interop}
mkdir -p "$build"
build=$(cd "$build" && pwd)

make --silent -C "$here/c" BUILD="$build"

# Without privileges the namespaces belong to a user namespace.
map=
[ "$(id -u)" = 0 ] || map=--map-root-user
exec unshare $map --ipc --mount "${PYTHON:-python3}" -B "$here/selfcheck/main.py" "$build"
