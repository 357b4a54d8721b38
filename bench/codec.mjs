// What the codecs cost alone, without a queue: nanoseconds per encode and per decode of small records. Each
// figure comes from processes of its own, in turn, so that no codec pays for another's garbage, or for code that
// V8 had to make general.
import { spawnSync } from 'node:child_process'
import { cbor, chars, f64, i32, json, msgpack, struct, u16, u32, v8 } from 'ipckit'
import { names, rounds } from './support/options.mjs'
import { attempt, report } from './support/report.mjs'
import { alternate, median, spread } from './support/statistics.mjs'

const places = 256
const placeBytes = 512

/** Text that is flat in memory, as text from outside is. */
function text(i, length) {
  return JSON.parse(JSON.stringify(`${1000 + i} ${'abcdefghij'.repeat(length / 10)}`.slice(0, length)))
}

const records = Array.from({ length: 64 }, (_, i) => {
  return { id: i, px: 101.25 + i, qty: i * 3, symbol: text(i, 15), note: text(i, 50) }
})
const fives = Array.from({ length: 64 }, (_, i) => ({ a: i, b: i * 7, c: i * 1.5, d: i * -2.25, e: i % 100 }))

const subjects = {
  struct: [() => struct({ id: i32, px: f64, qty: u32, symbol: chars(16), note: chars(64) }), records],
  json: [json, records],
  msgpack: [msgpack, records],
  cbor: [cbor, records],
  v8: [v8, records],
  'struct, 5 numbers': [() => struct({ a: i32, b: u32, c: f64, d: f64, e: u16 }), fives],
  'json, 5 numbers': [json, fives],
}

/** Nanoseconds of one call, the median of nine times about 5 ms after as much to warm up. */
function time(run) {
  const perCall = (count) => {
    const begin = process.hrtime.bigint()
    run(count)
    return Number(process.hrtime.bigint() - begin) / count
  }
  for (let i = 0; i < 20; i++) perCall(2000)
  const count = Math.ceil(5e6 / perCall(5000))
  return median(Array.from({ length: 9 }, () => perCall(count)))
}

function measure(makeCodec, values) {
  const codec = makeCodec()
  const memory = new Uint8Array(places * placeBytes)
  const lengths = Array.from({ length: places }, (_, i) =>
    codec.encode(values[i & 63], memory, i * placeBytes),
  )
  // What was decoded is kept for a while: a value that nobody can see need not be made.
  const kept = new Array(64)
  const encode = time((count) => {
    for (let i = 0; i < count; i++) codec.encode(values[i & 63], memory, (i & 255) * placeBytes)
  })
  const decode = time((count) => {
    for (let i = 0; i < count; i++) {
      kept[i & 63] = codec.decode(memory, (i & 255) * placeBytes, lengths[i & 255])
    }
  })
  return { encode, decode, bytes: lengths.at(-1) }
}

/** Measures one codec in a process of its own. */
function start(name) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [import.meta.filename, name], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

async function compare() {
  const all = Object.keys(subjects)
  const results = await alternate(all, rounds, start)
  const both = {}
  for (const [at, name] of all.entries()) {
    const [encode, decode] = ['encode', 'decode'].map((step) =>
      spread(results[at].map((result) => result[step])),
    )
    both[name] = encode.median + decode.median
    const show = ({ median, min, max }) => `${median.toFixed(0)} [${min.toFixed(0)} - ${max.toFixed(0)}]`
    const details = `encode ${show(encode)}, decode ${show(decode)}, ${results[at][0].bytes} B`
    report({ title: name, value: both[name], unit: ' ns', details })
  }
  const ratio = (of) => both[of.replace('struct', 'json')] / both[of]
  const details = 'encode and decode'
  report({ title: "struct's rate / json's", value: ratio('struct'), bar: { least: 3 }, details })
  report({
    title: "struct's rate / json's, 5 numbers",
    value: ratio('struct, 5 numbers'),
    bar: { least: 3 },
    details,
  })
}

if (names[0] === undefined) await attempt('codec', compare)
else console.log(JSON.stringify(measure(...subjects[names[0]])))
