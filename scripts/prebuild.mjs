// Copies the addon that was built here, stripped, to where lib/binding.ts looks first:
// prebuilds/<platform>-<arch>[-musl]/ipckit.node.
//
//   node scripts/prebuild.mjs [--release] [DIRECTORY]
//
// With --release it refuses a binary that needs a newer glibc than Node itself does. A release is therefore
// built in a container with an old glibc (AlmaLinux 8, Debian 10), and for musl in Alpine.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

/** What the official binaries of Node 20 need. */
const promised = '2.28'

const { values, positionals } = parseArgs({
  options: { release: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const root = dirname(import.meta.dirname)
const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? '-musl' : ''
const directory = resolve(
  positionals[0] ?? join(root, 'prebuilds'),
  `${process.platform}-${process.arch}${libc}`,
)
const target = join(directory, 'ipckit.node')

mkdirSync(directory, { recursive: true })
copyFileSync(join(root, 'build/Release/ipckit.node'), target)
execFileSync('strip', ['--strip-unneeded', target], { stdio: 'inherit' })

const symbols = execFileSync('objdump', ['--dynamic-syms', target], { encoding: 'utf8' })
const [floor = 'none'] = [...symbols.matchAll(/\bGLIBC_([\d.]+)/g)]
  .map(([, version]) => version)
  .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }))
console.log(`prebuild: ${target} needs glibc ${floor}`)
if (floor.localeCompare(promised, 'en', { numeric: true }) > 0 && floor !== 'none') {
  console.log(
    `prebuild: that is above ${promised}, which we promise: good for this machine, not for a release`,
  )
  if (values.release) {
    rmSync(target)
    process.exit(1)
  }
}
