/**
 * The bytes of struct ipckit_tick: every language writes and reads the same ones. Those in golden/ticks.json were
 * written by gcc on x86-64.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { array, cHeader, chars, f32, f64, i32, pythonClass, struct, u8, u64 } from 'ipckit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kernels } from '../helpers/kernels.ts'
import { tickOf } from './messages.ts'
import { buildPeers, languages, python, run, type Tick } from './peers.ts'
import { newQueue, patience } from './queues.ts'

interface Golden {
  tick: Tick
  hex: string
}

const file = new URL('golden/ticks.json', import.meta.url)
/** `sent` is what the peers send with that seed; the others are at the ends of what the members can hold. */
const { seed, sent, others } = JSON.parse(readFileSync(file, 'utf8')) as {
  seed: number
  sent: Golden[]
  others: Golden[]
}
const all = [...sent, ...others]

const codec = struct({ id: i32, px: f64, sym: chars(8), at: u64, flag: u8, pos: array(f32, 2) })

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const bytesOf = ({ hex }: Golden) => Buffer.from(hex, 'hex')

/** What Node writes, over memory that is not empty: what lies between the members must be written too. */
function encode({ at, ...others }: Tick): Buffer {
  const bytes = Buffer.alloc(codec.size, 0xee)
  expect(codec.encode({ ...others, at: BigInt(at) }, bytes, 0)).toBe(codec.size)
  return bytes
}

beforeAll(buildPeers)

test('struct writes and reads the golden bytes', () => {
  for (const golden of all) {
    expect(hexOf(encode(golden.tick))).toBe(golden.hex)
    const { at, ...others } = codec.decode(bytesOf(golden), 0, codec.size)
    expect({ ...others, at: String(at) }).toEqual(golden.tick)
  }
})

test('the golden ticks are those that the peers send', () => {
  expect(sent.map(({ tick }) => tick)).toEqual(sent.map((_, id) => tickOf(seed, id)))
})

describe.each(kernels)('%s', (kernel) => {
  test.each(languages[kernel])('%s sends the golden bytes', async (language) => {
    const queue = await newQueue(kernel)
    const words = ['--format', 'struct', '--seed', seed, '--count', sent.length, ...patience]
    await run(language, 'send', queue.address, words)
    expect((await queue.getMany(10)).map(hexOf)).toEqual(sent.map(({ hex }) => hex))
  })

  test.each(languages[kernel])('%s reads the golden bytes', async (language) => {
    const queue = await newQueue(kernel)
    await queue.putMany(all.map(bytesOf))
    const words = ['--format', 'struct', '--count', all.length, ...patience]
    const { lines } = await run(language, 'recv', queue.address, words)
    expect(lines.map(({ tick }) => tick)).toEqual(all.map(({ tick }) => tick))
  })
})

describe('what is generated from the struct', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ipckit-golden-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  /** Runs a program that copies ticks member by member and prints each twice: what it read, what it wrote. */
  function copied(program: string, ...args: string[]): { tick: Tick; hex: string }[] {
    const input = Buffer.concat(all.map(({ tick }) => encode(tick)))
    const lines = execFileSync(program, args, { input, encoding: 'utf8' }).trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line))
  }

  test('as a C header compiles, agrees with tick.h of the peers, and reads and writes the same bytes', () => {
    const interop = fileURLToPath(new URL('../../interop/c', import.meta.url))
    const program = join(folder, 'copy')
    writeFileSync(join(folder, 'node_tick.h'), cHeader(codec, 'node_tick'))
    writeFileSync(join(folder, 'copy.c'), copyInC)
    const flags = ['-std=c11', '-Wall', '-Wextra', '-Werror', '-I', folder, '-I', interop]
    execFileSync('gcc', [...flags, '-o', program, join(folder, 'copy.c')], { stdio: 'inherit' })
    expect(copied(program)).toEqual(all)
  })

  test('as a Python class is imported, and reads and writes the same bytes', () => {
    writeFileSync(join(folder, 'node_tick.py'), pythonClass(codec, 'NodeTick'))
    writeFileSync(join(folder, 'copy.py'), copyInPython)
    expect(copied(python, '-B', join(folder, 'copy.py'))).toEqual(all)
  })
})

const members = ['id', 'px', 'sym', 'at', 'flag', 'pos']

const copyInC = `
#include <stdio.h>
#include <string.h>
#include "node_tick.h"
#include "tick.h"

static_assert(sizeof(node_tick) == sizeof(struct ipckit_tick), "the size");
${members
  .map(
    (name) =>
      `static_assert(offsetof(node_tick, ${name}) == offsetof(struct ipckit_tick, ${name}), "${name}");`,
  )
  .join('\n')}

int main(void) {
  node_tick in, out;
  while (fread(&in, sizeof in, 1, stdin) == 1) {
    memset(&out, 0, sizeof out);
    out.id = in.id;
    out.px = in.px;
    memcpy(out.sym, in.sym, sizeof in.sym);
    out.at = in.at;
    out.flag = in.flag;
    out.pos[0] = in.pos[0];
    out.pos[1] = in.pos[1];
    printf("{\\"tick\\":{\\"id\\":%d,\\"px\\":%.17g,\\"sym\\":\\"%.8s\\",\\"at\\":\\"%llu\\",\\"flag\\":%d,\\"pos\\":[%.17g,%.17g]},",
           in.id, in.px, in.sym, (unsigned long long)in.at, in.flag, in.pos[0], in.pos[1]);
    printf("\\"hex\\":\\"");
    for (size_t i = 0; i < sizeof out; i++) printf("%02x", ((unsigned char*)&out)[i]);
    printf("\\"}\\n");
  }
}
`

const copyInPython = `
import json
import sys

from node_tick import NodeTick, ctypes

while data := sys.stdin.buffer.read(ctypes.sizeof(NodeTick)):
    found = NodeTick.from_buffer_copy(data)
    tick = {name: getattr(found, name) for name, _ in NodeTick._fields_}
    copy = NodeTick(**tick)
    tick.update(sym=found.sym.decode(), at=str(found.at), pos=list(found.pos))
    print(json.dumps({"tick": tick, "hex": bytes(copy).hex()}))
`
