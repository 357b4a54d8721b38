/** One side expects another format than the other side sends: it says so, has the bytes, and goes on. */
import { array, chars, DecodeError, f32, f64, i32, json, struct, text, u8, u64 } from 'ipckit'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Kernel, kernels } from '../helpers/kernels.ts'
import { contentOf } from './messages.ts'
import { buildPeers, type Format, type Language, languages, run } from './peers.ts'
import { newQueue, newQueueOf, patience } from './queues.ts'

const codecs = {
  text: text(),
  json: json(),
  struct: struct({ id: i32, px: f64, sym: chars(8), at: u64, flag: u8, pos: array(f32, 2) }),
}

/** Words that give a message a priority or type, and what an error then tells of it. */
const tags: Record<Kernel, { words: (string | number)[]; facts: object }> = {
  posix: { words: ['--priority', 2], facts: { priority: 2 } },
  sysv: { words: ['--type', 5], facts: { type: 5 } },
}

const strangers = (kernel: Kernel) => languages[kernel].filter((language) => language !== 'Node')

beforeAll(buildPeers)

/** The value of message 0 of a language. */
function sentBy(language: Language, format: Format): unknown {
  const content = contentOf(language, format, 0, 0)
  if (format !== 'struct') return content[format]
  return { ...content.tick, at: BigInt(content.tick?.at as string) }
}

describe.each(kernels)('%s', (kernel) => {
  const sendOne = (language: Language, address: string, format: Format) =>
    run(language, 'send', address, ['--format', format, '--count', 1, ...tags[kernel].words, ...patience])

  for (const [expected, sent] of [
    ['json', 'struct'],
    ['json', 'text'],
    ['text', 'struct'],
    ['struct', 'text'],
    ['struct', 'json'],
  ] as const) {
    test.each(strangers(kernel))(
      `Node, which expects ${expected}, rejects a ${sent} of %s with the bytes, and takes the next message`,
      async (language) => {
        const queue = await newQueueOf<unknown, never>(kernel, codecs[expected])
        await sendOne(language, queue.address, sent)
        await sendOne(language, queue.address, expected)

        const error = await queue.get().catch((reason: unknown) => reason)
        expect(error).toBeInstanceOf(DecodeError)
        expect(error).toMatchObject({
          code: 'ERR_IPC_DECODE',
          resource: queue.address,
          message: expect.stringContaining(`as ${codecs[expected].name}`),
          ...tags[kernel].facts,
        })
        const { bytes } = error as DecodeError
        expect(codecs[sent].decode(bytes, 0, bytes.length)).toEqual(sentBy(language, sent))

        expect(await queue.get()).toEqual(sentBy(language, expected))
        expect(queue.stat().depth).toBe(0)
      },
    )
  }

  test('Node, which expects json and takes many messages, has all others beside the one of C that is none', async () => {
    const queue = await newQueueOf(kernel, json())
    for (const format of ['json', 'struct', 'json'] as const) await sendOne('C', queue.address, format)
    const error = await queue.getMany(10).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(DecodeError)
    const { batch } = error as DecodeError
    expect(batch?.values).toEqual([sentBy('C', 'json'), sentBy('C', 'json')])
    expect(batch?.failures).toEqual([error])
  })

  test('a loop of Node ends at a struct of C that is no json, and the next loop goes on behind it', async () => {
    const queue = await newQueueOf(kernel, json())
    for (const format of ['json', 'struct', 'json'] as const) await sendOne('C', queue.address, format)
    const taken: unknown[] = []
    const takeAll = async () => {
      for await (const value of queue) {
        taken.push(value)
        if (queue.stat().depth === 0) return
      }
    }
    await expect(takeAll()).rejects.toBeInstanceOf(DecodeError)
    await takeAll()
    expect(taken).toEqual([sentBy('C', 'json'), sentBy('C', 'json')])
  })

  for (const [expected, sent] of [
    ['struct', 'text'],
    ['struct', 'json'],
    ['text', 'struct'],
    ['json', 'struct'],
  ] as const) {
    test.each(languages[kernel])(
      `%s, which expects ${expected}, tells that a ${sent} of Node is none, and takes the next message`,
      async (language) => {
        const { address } = await newQueue(kernel)
        const [wrong] = (await sendOne('Node', address, sent)).lines
        await sendOne('Node', address, expected)
        const words = ['--format', expected, '--count', 2, ...patience]
        const { lines } = await run(language, 'recv', address, words)
        expect(lines[0]).toMatchObject({
          [expected === 'struct' ? 'tick' : expected]: null,
          bytes: wrong?.bytes,
          fnv1a64: wrong?.fnv1a64,
          ...tags[kernel].facts,
        })
        expect(lines[1]).toMatchObject(contentOf('Node', expected, 0, 0))
      },
    )
  }
})
