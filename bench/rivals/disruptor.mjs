// shared-memory-disruptor, its calls that spin: one element a call, or as many as are claimed at once.
//
//   node disruptor.mjs ROLE NAME one|many
import disruptors from 'shared-memory-disruptor'
import { bytes, checkBytes, makeMessage, serveConsumer, serveProducer } from './serve.mjs'

const [role, name, how] = process.argv.slice(2)
const elements = 1024
const claim = 64

// It can be made by one end only, which is the one that is started first.
const open = (consumer, init) => new disruptors.Disruptor(name, elements, bytes, 1, consumer, init, true)

if (role === 'produce') {
  const disruptor = open(-1, false)
  const number = makeMessage()
  const one = (count) => {
    for (let sequence = 0; sequence < count; sequence++) {
      disruptor.produceClaimSync().set(number(sequence))
      disruptor.produceCommitSync()
    }
  }
  const many = (count) => {
    for (let sequence = 0; sequence < count; ) {
      for (const room of disruptor.produceClaimManySync(Math.min(claim, count - sequence))) {
        for (let at = 0; at < room.length; at += bytes) room.set(number(sequence++), at)
      }
      disruptor.produceCommitSync()
    }
  }
  await serveProducer(how === 'one' ? one : many)
} else {
  const disruptor = open(0, true)
  await serveConsumer((count) => {
    for (let received = 0; received < count; ) {
      for (const messages of disruptor.consumeNewSync()) {
        for (let at = 0; at < messages.length; at += bytes) checkBytes(messages, at, received++)
      }
    }
    disruptor.consumeCommit()
  })
}
