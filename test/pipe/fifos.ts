/** FIFOs of the tests, and what stands in their place. */
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { onTestFinished } from 'vitest'
import { newName } from '../helpers/names.ts'

/** A path that nobody else uses; what is there goes when the test ends. */
export function newPath(): string {
  const path = `${tmpdir()}${newName()}`
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Bytes that tell their place, as the peers in C and Python make them (interop/c/fifo_peer.c). */
export function pattern(length: number, seed = 0): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => seed + at + (at >> 8)))
}

export const isRoot = process.getuid?.() === 0

/** Another user, to whom root can give things. */
export const stranger = 12_345
