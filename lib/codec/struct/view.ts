/**
 * The DataView over a piece of memory, made once. Queues pass the same few slabs again and again, and making
 * a DataView takes 90 ns where a whole struct of numbers takes 10.
 */

const views = new WeakMap<Uint8Array, DataView>()
// The one used last saves the look-up in the map, which takes about 10 ns. It keeps that memory alive until
// another is used: one slab in the process, at most.
let lastBytes: Uint8Array | undefined
let lastView: DataView | undefined

export function viewOf(bytes: Uint8Array): DataView {
  if (bytes === lastBytes) return lastView as DataView
  let view = views.get(bytes)
  if (view === undefined) {
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    views.set(bytes, view)
  }
  lastBytes = bytes
  lastView = view
  return view
}
