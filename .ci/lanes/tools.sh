#!/usr/bin/env bash
# Installs the Debian packages that the other lanes need, if any is missing.
set -euo pipefail

packages=(
  g++ make cmake python3 binutils     # building
  libgtest-dev                        # native tests
  clang-format clang-tidy black flake8
  python3-sysv-ipc python3-pip        # a peer in Python, and what installs one
  libpython3.11-testsuite             # CPython's own tests
  spin                                # the model of the queue
  clang libclang-rt-14-dev llvm       # fuzzing
  gcovr                               # coverage
  util-linux procps strace            # unshare, setarch, ipcs; system calls that fail
  bsdutils bsdextrautils              # script, hexdump
)
missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo 'all tools are installed'
  exit 0
fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends "${missing[@]}"
