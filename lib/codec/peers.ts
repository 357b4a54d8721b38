/**
 * MessagePack and CBOR, by packages that the user installs beside ipckit. They are loaded at the first call
 * of the codec's function, and set to write what plain readers of other languages read: no records, no
 * extensions of their own.
 */
import { createRequire } from 'node:module'
import type { Codec } from './codec.js'
import { checkDefined } from './expected.js'
import { copyBytes } from './raw.js'

/** What is used of msgpackr's `Packr` and cbor-x's `Encoder`, which are alike. */
interface Packer {
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
}
type Peer = Record<'Packr' | 'Encoder', new (options: object) => Packer> & {
  addExtension(extension: { Class: unknown; write: (value: unknown) => unknown }): void
}

let msgpackCodec: Codec<unknown> | undefined
let cborCodec: Codec<unknown> | undefined

const plain = {
  useRecords: false,
  mapsAsObjects: true,
  // The count of an object's members in its shortest form, and right beyond 65,535 members.
  variableMapSize: true,
  // Without it, bytes inside of a value would be views of the queue's memory.
  copyBuffers: true,
  useToJSON: true,
}

/**
 * Sends values as MessagePack, which C, Python, Go and most languages read. It needs the package `msgpackr`.
 *
 * A number is sent as an integer of up to 32 bits or else as a double, a bigint as an integer of 64 bits;
 * 64-bit integers arrive as bigint, bytes as Uint8Array, a Map as an object, a Set as an array. `undefined`
 * and functions inside of a value are sent as nil. Text should be well-formed: unlike {@link json}, the package
 * sends lone surrogates as malformed UTF-8, and reads malformed UTF-8 as U+FFFD.
 *
 * @typeParam T - the type of the messages; your word for it, see {@link checked}.
 * @returns A codec; `encode` throws a `TypeError` for `undefined` and for typed arrays of more than one byte
 *   per element, a `RangeError` for a bigint beyond 64 bits, and an `Error` when a getter or `toJSON` of the
 *   value encodes MessagePack itself. `decode` throws an `Error` when the bytes are not one MessagePack value.
 * @throws Error with code `ERR_MODULE_NOT_FOUND` when `msgpackr` is not installed.
 * @example
 * ```ts
 * // npm install msgpackr
 * const jobs = await Queue.open('posix:/jobs', { codec: msgpack<{ id: number; url: string }>() })
 * ```
 */
export function msgpack<T = unknown>(): Codec<T> {
  msgpackCodec ??= makeMsgpack()
  return msgpackCodec as Codec<T>
}

function makeMsgpack(): Codec<unknown> {
  const peer = loadPeer('msgpack', 'msgpackr')
  refuseViews(peer)
  return peerCodec('msgpack', new peer.Packr({ ...plain, encodeUndefinedAsNil: true }))
}

/**
 * Sends values as CBOR (RFC 8949), the format of many small devices. It needs the package `cbor-x`.
 *
 * A number is sent as an integer of up to 32 bits or else as a double, a bigint as an integer of 64 bits
 * (a larger one as tag 2 or 3); 64-bit integers arrive as bigint, bytes as Uint8Array, a Map as an object.
 * Text should be well-formed, as for {@link msgpack}.
 *
 * @typeParam T - the type of the messages; your word for it, see {@link checked}.
 * @returns A codec; `encode` throws a `TypeError` for `undefined`, and an `Error` for a function or when a
 *   getter or `toJSON` of the value encodes CBOR itself. `decode` throws an `Error` when the bytes are not one
 *   CBOR value.
 * @throws Error with code `ERR_MODULE_NOT_FOUND` when `cbor-x` is not installed.
 * @example
 * ```ts
 * // npm install cbor-x
 * const readings = await Queue.open('sysv:0x1234', { codec: cbor<{ celsius: number }>() })
 * ```
 */
export function cbor<T = unknown>(): Codec<T> {
  cborCodec ??= makeCbor()
  return cborCodec as Codec<T>
}

function makeCbor(): Codec<unknown> {
  const { Encoder } = loadPeer('cbor', 'cbor-x')
  return peerCodec('cbor', new Encoder({ ...plain, tagUint8Array: false, useTag259ForMaps: false }))
}

function peerCodec(name: string, packer: Packer): Codec<unknown> {
  let encoding = false
  return Object.freeze({
    name,
    encode(value: unknown, target: Uint8Array, offset: number): number {
      checkDefined(value)
      // Both packages write into one buffer of theirs, which an encode inside of an encode would spoil.
      if (encoding)
        throw new Error(`Cannot encode as ${name} while a value's own code runs inside of an encode`)
      encoding = true
      try {
        const bytes = packer.encode(value)
        if (bytes.length > target.length - offset) return -bytes.length
        target.set(bytes, offset)
        return bytes.length
      } finally {
        encoding = false
      }
    },
    decode(bytes: Uint8Array, offset: number, length: number): unknown {
      if (length === 0) throw new Error(`The message of 0 bytes is not ${name}`)
      // The native part of msgpackr takes a SharedArrayBuffer for an ArrayBuffer, and reads elsewhere.
      const shared = bytes.buffer instanceof SharedArrayBuffer
      return packer.decode(
        shared ? copyBytes(bytes, offset, length) : bytes.subarray(offset, offset + length),
      )
    },
  })
}

/**
 * Loads a copy of the package that is ours alone: extensions that the program adds to its own would change the
 * bytes that we write, and our refusals (see `refuseViews`) would reach into the program.
 */
function loadPeer(name: string, packageName: string): Peer {
  const require = createRequire(import.meta.url)
  const file = findPeer(require, name, packageName)
  const shared = require.cache[file]
  delete require.cache[file]
  try {
    return require(file) as Peer
  } finally {
    if (shared === undefined) delete require.cache[file]
    else require.cache[file] = shared
  }
}

function findPeer(require: NodeJS.Require, name: string, packageName: string): string {
  try {
    return require.resolve(packageName)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error
    const message = `${name}() needs the package ${packageName}, which is not installed: npm install ${packageName}`
    throw Object.assign(new Error(message, { cause: error }), { code: 'ERR_MODULE_NOT_FOUND' })
  }
}

/**
 * msgpackr 2.1 writes a Float64Array as bytes of the right number and the wrong content, what its buffer held
 * before, and a DataView as no bytes. MessagePack has no type for either, so they are refused.
 */
function refuseViews(peer: Peer): void {
  for (const [name, Class] of wideViews) {
    const write = (): never => {
      throw new TypeError(`MessagePack has no type for ${name}: send an Array, or the bytes as a Uint8Array`)
    }
    peer.addExtension({ Class, write })
  }
}

const wideViews = Object.entries({
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
})
