/** A codec whose values are validated by the schema library that a program uses already. */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Codec } from './codec.js'
import { wrongType } from './expected.js'

/**
 * A value does not fit the schema of {@link checked}.
 *
 * @example
 * ```ts
 * try {
 *   await jobs.put(job)
 * } catch (error) {
 *   if (error.cause instanceof SchemaError) for (const { message, path } of error.cause.issues) report(path, message)
 * }
 * ```
 */
export class SchemaError extends Error {
  /** What the schema found, in its own order; at least one. */
  readonly issues: readonly StandardSchemaV1.Issue[]

  /** @param issues - what the schema found; the sentence lists the first ten. */
  constructor(issues: readonly StandardSchemaV1.Issue[]) {
    const shown = issues.slice(0, maxShown).map(issueText).join('; ')
    const more = issues.length > maxShown ? `; and ${issues.length - maxShown} more` : ''
    super(`The value does not fit the schema: ${shown}${more}`)
    this.issues = issues
  }
}
Object.defineProperty(SchemaError.prototype, 'name', {
  value: 'SchemaError',
  configurable: true,
  writable: true,
})

const maxShown = 10

/**
 * What the compiler shows when the inner codec cannot carry what the schema takes; there is never a value.
 *
 * @example
 * ```ts
 * checked(z.number(), text()) // does not compile: text carries strings
 * ```
 */
export interface CannotCarry<I> {
  readonly 'this codec cannot carry the input of the schema': I
}

/**
 * Validates every message with a schema, and takes the queue's type from it. Any library of the Standard
 * Schema works: zod, valibot, arktype and others.
 *
 * Sending validates the value and sends it as it was given; receiving validates what came and gives what
 * the schema makes of it. So a schema that transforms (a date from a string, a default for what is missing)
 * is applied exactly once, by the reader, and the writer's type is the schema's input.
 *
 * @param schema - must validate synchronously.
 * @param codec - carries the schema's input; another does not compile.
 * @returns A codec; `encode` and `decode` throw a {@link SchemaError} that lists the issues when the value
 *   does not fit, a `TypeError` when the schema validates asynchronously, and whatever `codec` throws.
 * @throws TypeError when `schema` is not a Standard Schema of version 1, or `codec` is no codec.
 * @example
 * ```ts
 * const Job = z.object({ id: z.number().int(), due: z.iso.datetime().transform((text) => new Date(text)) })
 * const jobs = await Queue.open('posix:/jobs', { codec: checked(Job, json()) })
 * await jobs.put({ id: 7, due: '2026-12-01T12:00:00Z' })
 * const { due } = await jobs.get() // a Date
 * ```
 */
export function checked<S extends StandardSchemaV1, I>(
  schema: S,
  codec: Codec<unknown, I> &
    ([StandardSchemaV1.InferInput<S>] extends [I] ? unknown : CannotCarry<StandardSchemaV1.InferInput<S>>),
): Codec<StandardSchemaV1.InferOutput<S>, StandardSchemaV1.InferInput<S>> {
  const standard = (schema as StandardSchemaV1 | null | undefined)?.['~standard']
  if (typeof standard?.validate !== 'function' || standard.version !== 1) {
    throw wrongType(
      'schema',
      'a Standard Schema of version 1, as zod, valibot and arktype make them,',
      schema,
    )
  }
  const inner = codec as Codec<unknown, unknown>
  if (typeof inner?.encode !== 'function' || typeof inner.decode !== 'function') {
    throw wrongType('codec', 'a codec such as json()', codec)
  }
  return Object.freeze({
    // The bytes are those of the inner codec, and so is their name.
    name: inner.name,
    encode(value: unknown, target: Uint8Array, offset: number): number {
      validate(standard, value)
      return inner.encode(value, target, offset)
    },
    decode(bytes: Uint8Array, offset: number, length: number): StandardSchemaV1.InferOutput<S> {
      return validate(standard, inner.decode(bytes, offset, length)) as StandardSchemaV1.InferOutput<S>
    },
  })
}

function validate(standard: StandardSchemaV1['~standard'], value: unknown): unknown {
  const result = standard.validate(value)
  if ('then' in result) {
    // Nobody will look at it any more; unhandled, it would end the process.
    result.then(undefined, () => {})
    throw new TypeError(
      `The ${standard.vendor} schema validates asynchronously, and messages cannot wait for it: ` +
        'use a schema without async checks, and await those around put and get',
    )
  }
  if (result.issues !== undefined) throw new SchemaError(result.issues)
  return result.value
}

/** ``\`pos[1].x\`: expected a number`` */
function issueText(issue: StandardSchemaV1.Issue): string {
  let path = ''
  for (const segment of issue.path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment
    if (typeof key === 'number') path += `[${key}]`
    else if (typeof key === 'string' && /^[A-Za-z_$][\w$]*$/.test(key)) path += path === '' ? key : `.${key}`
    else path += typeof key === 'string' ? `[${JSON.stringify(key)}]` : `[${String(key)}]`
  }
  return path === '' ? issue.message : `\`${path}\`: ${issue.message}`
}
