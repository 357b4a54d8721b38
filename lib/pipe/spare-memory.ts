/**
 * Memory for messages of which a part is on its way, used again and again: fresh memory of a mebibyte costs the kernel
 * and the garbage collector more than to fill it.
 */

/** Larger pieces are rare, and not kept. */
const mostKeptBytes = 4 * 1024 * 1024
const leastBytes = 256 * 1024
const mostKept = 4

export class SpareMemory {
  readonly #spare: Uint8Array[] = []

  /** Memory of at least so many bytes, with anything in it. It is the caller's until it is given back, if ever. */
  borrow(length: number): Uint8Array {
    for (let at = this.#spare.length - 1; at >= 0; at--) {
      if ((this.#spare[at] as Uint8Array).length >= length) return this.#spare.splice(at, 1)[0] as Uint8Array
    }
    // Sizes in powers of two, so that what served one message serves one that is a little larger.
    let size = leastBytes
    while (size < length && size < mostKeptBytes) size *= 2
    return Buffer.allocUnsafeSlow(Math.max(size, length))
  }

  giveBack(memory: Uint8Array): void {
    if (memory.length <= mostKeptBytes && this.#spare.length < mostKept) this.#spare.push(memory)
  }
}

/** Not one for both: a codec's view of a message is good until something is received, whatever is sent. */
export const incomingMemory = new SpareMemory()
export const outgoingMemory = new SpareMemory()
