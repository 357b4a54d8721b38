/** Every transport keeps the contract of `transport.ts`. */
import { afterAll, beforeAll, expect } from 'vitest'
import { subjects } from './subject.ts'
import { transportContract } from './transport.ts'

const heard: unknown[] = []
const note = (what: unknown) => heard.push(what)
beforeAll(() => {
  process.on('unhandledRejection', note)
  process.on('warning', note)
})
afterAll(() => {
  process.off('unhandledRejection', note)
  process.off('warning', note)
  expect(heard, 'rejections that nobody handled, and warnings').toEqual([])
})

for (const subject of subjects) transportContract(subject)
