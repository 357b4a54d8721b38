#!/usr/bin/env bash
# What a user gets: the packed package, installed into an empty project, once with a prebuilt binary and nothing
# to build with, once without and built from source.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
node scripts/setup.mjs

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

npm pack --silent --pack-destination "$place" >/dev/null
tar -xzf "$place"/ipckit-*.tgz -C "$place"
node scripts/prebuild.mjs "$place/package/prebuilds"

mkdir "$place/project"
cd "$place/project"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --no-audit --no-fund --install-links "$place/package"
cat >smoke.mjs <<'PROGRAM'
import assert from 'node:assert/strict'
import { json, Queue } from 'ipckit'

for (const address of ['posix:/smoke', 'sysv:private']) {
  const queue = await Queue.create(address, { codec: json() })
  await queue.put({ hello: address })
  assert.deepEqual(await queue.get(), { hello: address })
  await queue.unlink()
  await queue.close()
}
console.log('smoke: content')
PROGRAM

echo 'with the prebuilt binary'
installed=node_modules/ipckit
test ! -e $installed/build
node "$root/scripts/isolated.mjs" node smoke.mjs
npx --no-install ipckit --version

echo 'built from source'
rm -r $installed/prebuilds/linux-*
(cd $installed && node scripts/build-native.mjs)
node "$root/scripts/isolated.mjs" node smoke.mjs
