/**
 * Handles that are dropped without being closed: the garbage collector closes them, unless somebody waits.
 */
import { describe, expect, test } from 'vitest'
import { type Carrier, carriers, drain, fill, makeQueue, numbered } from '../helpers/kernels.ts'
import { Program } from '../helpers/program.ts'

function forget(here: Parameters<typeof makeQueue>[0], address: string, what: string): Program {
  return new Program(here, 'forgotten.mjs', { address, case: what }, { node: ['--expose-gc'] })
}

/** A System V handle has no descriptor. */
const descriptorsOf = (kernel: Carrier, handles: number) => (kernel === 'sysv' ? 0 : handles)

describe.each(carriers)('%s: a handle that was dropped', (kernel) => {
  test.concurrent.for([
    ['idle', 100],
    ['used', 100],
    ['after a wait that was served', 20],
    ['after waits that ended', 20],
    ['after loops and streams that ended', 20],
  ] as const)('is collected and closed: %s', async ([what, handles], here) => {
    const queue = await makeQueue(here, kernel)
    const program = forget(here, queue.address, what)
    const { open } = JSON.parse(await program.says())
    // The collector may have been quick with some.
    expect(open).toBeGreaterThanOrEqual(Math.min(1, descriptorsOf(kernel, handles)))
    expect(open).toBeLessThanOrEqual(descriptorsOf(kernel, handles) + 1)
    expect(await program.ended).toEqual({ code: 0, signal: null, rest: [], errors: '' })
    expect(drain(queue)).toEqual([])
  })

  test.concurrent('is kept while it waits to get, and is served', async (here) => {
    const queue = await makeQueue(here, kernel)
    const program = forget(here, queue.address, 'waiting')
    expect(await program.says()).toBe('"waiting"')
    for (let at = 0; at < 4; at++) await queue.put(numbered(at))
    expect(await program.says()).toBe('{"lengths":[64,64,64,64]}')
    expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  })

  test.concurrent('is kept while it waits to put, and is served', async (here) => {
    const queue = await makeQueue(here, kernel)
    fill(queue)
    const program = forget(here, queue.address, 'waiting to put')
    expect(await program.says()).toBe('"waiting"')
    for (let at = 0; at < 8; at++) expect(await queue.get()).toHaveLength(64)
    expect(await program.says()).toBe('{"done":true}')
    expect(await program.ended).toMatchObject({ code: 0, errors: '' })
  })

  test.concurrent('lets the process end while it waits unreferenced', async (here) => {
    const queue = await makeQueue(here, kernel)
    const program = forget(here, queue.address, 'unreferenced')
    expect(await program.ended).toEqual({ code: 0, signal: null, rest: ['{"done":true}'], errors: '' })
  })
})

test('posix: a handle that was dropped is kept while it waits in notify()', async (here) => {
  const queue = await makeQueue(here, 'posix')
  const program = forget(here, queue.address, 'notified')
  expect(await program.says()).toBe('"waiting"')
  await queue.put(numbered(1))
  expect(await program.says()).toBe('{"done":true}')
  expect(await program.ended).toMatchObject({ code: 0, errors: '' })
})
