/** From what JSON can say to what a struct takes: 64-bit numbers, bytes, NaN. The way back is in `json.ts`. */
import type { FieldType } from '../index.js'
import { CommandError, exitCodes } from './failure.js'

type Shape = FieldType<unknown>['shape']

/**
 * Turns parsed JSON into values that fit the fields: numbers or digits into bigints, hex digits or lists of numbers
 * into bytes, `"NaN"` into NaN. What does not fit stays as it is: the codec says better what is wrong with it.
 */
export function toFields(shape: Shape, value: unknown, path = 'value'): unknown {
  switch (shape.kind) {
    case 'struct': {
      if (!isObject(value)) return value
      const fields = shape.fields.filter(({ name }) => Object.hasOwn(value, name))
      return Object.fromEntries(
        fields.map(({ name, type }) => [name, toFields(type.shape, value[name], `${path}.${name}`)]),
      )
    }
    case 'array':
      if (!Array.isArray(value)) return value
      return value.map((element, at) => toFields(shape.element.shape, element, `${path}[${at}]`))
    case 'leaf':
      return fitLeaf(shape.word, shape.lengths.length > 0, value, path)
  }
}

function fitLeaf(word: string, many: boolean, value: unknown, path: string): unknown {
  switch (word) {
    case 'i64':
    case 'u64':
      return toBigint(value, path)
    case 'f32':
    case 'f64':
      return typeof value === 'string' && /^(NaN|-?Infinity)$/.test(value) ? Number(value) : value
    case 'u8':
      return many ? toBytes(value) : value
    default:
      return value
  }
}

function toBigint(value: unknown, path: string): unknown {
  if (typeof value === 'string' && /^-?\d+$/.test(value)) return BigInt(value)
  if (typeof value !== 'number' || !Number.isInteger(value)) return value
  if (Number.isSafeInteger(value)) return BigInt(value)
  throw new CommandError(
    `Expected integers beyond 2^53 as text for \`${path}\`, such as "9007199254740993": JSON numbers are rounded there`,
    exitCodes.usage,
  )
}

function toBytes(value: unknown): unknown {
  if (typeof value === 'string' && /^([0-9a-f]{2})*$/i.test(value)) return Buffer.from(value, 'hex')
  const isByte = (each: unknown) => Number.isInteger(each) && (each as number) >= 0 && (each as number) <= 255
  return Array.isArray(value) && value.every(isByte) ? Buffer.from(value) : value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
