/**
 * What every transport must do, as tests: the contract of `lib/queue/transport.ts`, seen through the queue that
 * stands on it. `queue.test.ts` runs it for each transport.
 */
import { beforeAll, describe } from 'vitest'
import { batches } from './batches.ts'
import { codecs } from './codecs.ts'
import { endings } from './endings.ts'
import { iteration } from './iteration.ts'
import { messages } from './messages.ts'
import { opening } from './opening.ts'
import { reentrancy } from './reentrancy.ts'
import { streams } from './streams.ts'
import { measureBy, type Subject } from './subject.ts'
import { waits } from './waits.ts'

export function transportContract(subject: Subject): void {
  describe(`a queue over ${subject.name}`, () => {
    measureBy(subject)
    beforeAll(() => measureBy(subject))
    describe('messages', () => messages(subject))
    describe('opening', () => opening(subject))
    describe('waiting', () => waits(subject))
    describe('many at once', () => batches(subject))
    describe('loops and streams', () => iteration(subject))
    describe('what streams hold', () => streams(subject))
    describe('closing and removing', () => endings(subject))
    describe('codecs', () => codecs(subject))
    describe('user code inside of a call', () => reentrancy(subject))
  })
}
