/**
 * What ends other programs: views that outlive their memory, peers that truncate it, workers and processes that end
 * in the middle. Each case runs in a process of its own, which must end by itself.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { f64, i32, struct } from 'ipckit'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { native } from '../../lib/binding.ts'
import { SharedMemory as Source } from '../../lib/posix/shared-memory.ts'
import type { Owner } from '../helpers/kernels.ts'
import { type End, Program } from '../helpers/program.ts'
import { Memories } from './memories.ts'

const memories = new Memories()
const quote = struct({ id: i32, px: f64 })

interface Scene {
  name: string
  ended: Promise<End>
}

function play(owner: Owner, step: string, sizeBytes = 8192): Scene {
  const name = memories.name()
  if (sizeBytes > 0) memories.create({ sizeBytes }, name)
  return { name, ended: start(owner, step, name).ended }
}

function start(owner: Owner, step: string, name: string): Program {
  return new Program(owner, 'memory.mjs', { step, name }, { node: ['--expose-gc'] })
}

/** It ended well, and saw these. */
const ended = (...rest: string[]) => ({ code: 0, signal: null, errors: '', rest })

describe('after close()', () => {
  test('every view shows zeros, writing to it changes nothing for others, and calls are refused', async (context) => {
    const { ended: end, name } = play(context, 'use after close')
    const closed = 'ERR_IPC_CLOSED'
    expect(await end).toEqual(ended('3.5 3.5 3.5', '0 0 0 0', `117901063 ${closed} ${closed} 117901063`))
    expect(memories.open(name).view(quote).px).toBe(3.5)
  })

  test('views that were transferred are as harmless', async (context) => {
    const { ended: end } = play(context, 'transfer')
    expect(await end).toEqual(ended('true 5 5', '5'))
  })
})

describe('memory that another process truncates', () => {
  test('shows zeros, and every call fails with ERR_IPC_TRUNCATED', async (context) => {
    const { ended: end } = play(context, 'truncated')
    const code = 'ERR_IPC_TRUNCATED'
    expect(await end).toEqual(ended('0 true 0', Array(6).fill(code).join(), '0'))
  })

  test('fails the call that touches it first', async (context) => {
    const { ended: end } = play(context, 'truncated in a call', 0)
    const line = 'ERR_IPC_TRUNCATED true'
    expect(await end).toEqual(ended(line, line, line))
  })

  test('is one of hundreds, of which each is known', async (context) => {
    const { ended: end } = play(context, 'many truncated', 0)
    expect(await end).toEqual(ended('0 true'))
  })

  test('does no harm in a worker either, nor to the other thread', async (context) => {
    const { ended: end } = play(context, 'truncated in a worker', 0)
    expect(await end).toEqual(ended('0 0 false'))
  })

  test('is a RemovedError that says what to do', () => {
    const memory = memories.create()
    execFileSync('truncate', ['--size=0', `/dev/shm${memory.name}`])
    expect(() => memory.read()).toThrow(
      expect.objectContaining({
        name: 'RemovedError',
        code: 'ERR_IPC_TRUNCATED',
        resource: memory.name,
        message: expect.stringMatching(/another process has truncated the memory.*open or create it again/),
      }),
    )
    expect(memory.truncated).toBe(true)
    expect(memory.stat().sizeBytes).toBe(0)
  })

  test('a SIGBUS that is not of ours ends the process as it would have', async (context) => {
    const { ended: end } = play(context, 'foreign fault')
    expect(await end).toMatchObject({ code: null, signal: 'SIGBUS', rest: ['raising'] })
  })
})

describe('the end of a process or a thread', () => {
  test('a worker opens the memory by its name, and gives it back when it ends', async (context) => {
    const { ended: end } = play(context, 'worker', 0)
    expect(await end).toEqual(ended('0 7'))
  })

  test('workers may be terminated, and the process may exit, in the middle of a write', async (context) => {
    const { ended: end } = play(context, 'terminate', 0)
    expect(await end).toEqual(ended('5'))
  })

  test.each(['exit', 'natural end'])(
    'memory that is open at the %s does no harm, and stays',
    async (step) => {
      const name = memories.name()
      const memory = memories.create({}, name)
      expect(await start({ onTestFinished }, step, name).ended).toEqual(ended())
      expect(memory.stat().unlinked).toBe(false)
    },
  )

  test('a buffer whose memory was forgotten without close() goes on', async (context) => {
    const { ended: end } = play(context, 'forgotten')
    expect(await end).toEqual(ended('5'))
  })

  test('10,000 memories that were opened and closed, and 2,000 that were forgotten, leave no descriptor and no map', async (context) => {
    const { ended: end } = play(context, 'leaks')
    expect(await end).toEqual(ended('0,0,0 1', 'true'))
  })
})

describe('the handler of SIGBUS', () => {
  test('stays when the worker has ended that alone had loaded ipckit', () => {
    const worker = `import('ipckit/posix').then(({ Memfd }) => {
      const memory = Memfd.create({ sizeBytes: 10 })
      memory.buffer[0] = 1
      memory.close()
    })`
    const script = `
      import { Worker } from 'node:worker_threads'
      new Worker(${JSON.stringify(worker)}, { eval: true }).once('exit', (code) => {
        console.log('ended', code)
        process.kill(process.pid, 'SIGBUS')
      })`
    const { signal, stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
      encoding: 'utf8',
    })
    // Not SIGSEGV, which a handler that is gone would be.
    expect({ signal, stdout }).toEqual({ signal: 'SIGBUS', stdout: 'ended 0\n' })
  })
})

describe('a runtime without external buffers, such as Electron', () => {
  test('copies, and says so when it is asked for a view', () => {
    const name = memories.name()
    memories.create({}, name)
    const forbidden = vi.spyOn(native, 'mapBuffer').mockReturnValue(undefined)
    const memory = Source.open(name)
    const refusal = expect.objectContaining({
      code: 'ERR_IPC_UNSUPPORTED',
      message: expect.stringMatching(/use read\(\), write\(\), readStruct\(\) and writeStruct\(\)/),
    })
    expect(() => memory.buffer).toThrow(refusal)
    expect(() => memory.arrayBuffer).toThrow(refusal)
    expect(() => memory.view(quote)).toThrow(refusal)
    memory.writeStruct(quote, { id: 5, px: 2.5 }, 16)
    expect(memory.readStruct(quote, 16)).toEqual({ id: 5, px: 2.5 })
    const bytes = new Uint8Array(4)
    memory.readInto(bytes, 16)
    expect([...bytes]).toEqual([5, 0, 0, 0])
    memory.close()
    forbidden.mockRestore()
  })
})
