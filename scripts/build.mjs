// Makes dist/ of lib/: declarations by tsc, which fails where the types are wrong, and the code by rolldown.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { build } from 'rolldown'
import config from '../rolldown.config.mjs'

rmSync('dist', { recursive: true, force: true })
const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '--project', 'tsconfig.json'], {
  stdio: 'inherit',
})
if (tsc.status !== 0) process.exit(tsc.status ?? 1)
await build(config)
