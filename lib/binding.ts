/**
 * Loads the addon. The only file that knows where binaries lie: `prebuilds/<platform>-<arch>[-musl]/` in a
 * published package, `build/Release/` after a build from source.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Native } from './native.js'

const require = createRequire(import.meta.url)

// glibc says its version in the report of the process; musl has none to say.
function isMusl(): boolean {
  if (existsSync('/lib64/ld-linux-x86-64.so.2') || existsSync('/lib/ld-linux-aarch64.so.1')) return false
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
  return report?.header?.glibcVersionRuntime === undefined
}

function load(): Native {
  const target = `${process.platform}-${process.arch}${process.platform === 'linux' && isMusl() ? '-musl' : ''}`
  const root = dirname(require.resolve('ipckit/package.json'))
  const places = [join(root, 'prebuilds', target, 'ipckit.node'), join(root, 'build/Release/ipckit.node')]
  const tried: string[] = []
  for (const place of places) {
    if (!existsSync(place)) {
      tried.push(`${place}: not there`)
      continue
    }
    try {
      return require(place) as Native
    } catch (error) {
      tried.push(`${place}: ${(error as Error).message}`)
    }
  }
  throw new Error(
    `ipckit found no addon for ${target} (Node ${process.version}). Tried:\n  ${tried.join('\n  ')}\n` +
      `Build it with: npm explore ipckit -- node scripts/build-native.mjs (needs g++, make and python3)`,
  )
}

/**
 * So many functions make the addon's own object a hash table for V8, and finding one in it costs 3 ns a call. What an
 * object inherits from V8 lays out as it does for methods, so that optimized code knows the functions.
 */
export const native: Native = Object.create(load())
