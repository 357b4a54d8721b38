/** Where the fields of a struct lie. */
import { outOfRange } from '../expected.js'
import type { FieldType } from './field.js'

/**
 * Where a field of a struct lies, in bytes: C's `offsetof`.
 *
 * @param type - a struct or array.
 * @param path - the field as programs write it: `'px'`, `'inner.x'`, `'pos[1].x'`, `'["odd name"]'`.
 * @throws RangeError when there is no such field.
 * @example
 * ```ts
 * const hits = memory.atomic(u64, offsetOf(counters, 'hits'))
 * ```
 */
export function offsetOf(type: FieldType<unknown>, path: string): number {
  const absent = () => outOfRange('path', `a field of ${type.name}`, path)
  let at = 0
  let { shape } = type
  const step = /\.?([A-Za-z_]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y
  while (step.lastIndex < path.length) {
    const [, word, index, quoted] = step.exec(path) ?? []
    if (shape.kind === 'array' && index !== undefined && Number(index) < shape.length) {
      at += Number(index) * shape.element.size
      shape = shape.element.shape
      continue
    }
    const name = quoted === undefined ? word : (JSON.parse(quoted) as string)
    const field = shape.kind === 'struct' ? shape.fields.find((each) => each.name === name) : undefined
    if (name === undefined || field === undefined) throw absent()
    at += field.offset
    shape = field.type.shape
  }
  if (path === '') throw absent()
  return at
}
