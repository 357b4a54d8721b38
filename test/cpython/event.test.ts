/**
 * What CPython's own tests ask of events: the behaviours of `_TestEvent`, see lock.test.ts. `test_repr` is about the text
 * that Python shows of an object; here the state is `isSet`, and `stat` in the same words.
 */
import { TimeoutError } from 'ipckit'
import { Event } from 'ipckit/sync'
import { expect, test } from 'vitest'
import { endAgents } from '../helpers/agent.ts'
import { keep, name, Remote } from '../sync/support.ts'

endAgents()

const timeoutMs = 100

test('test_event: waits while it is not set, not when it is, and until another process sets it', async () => {
  const event = keep(Event.create(name()))
  expect(event.isSet).toBe(false)
  await expect(event.wait({ timeoutMs: 0 })).rejects.toThrow(TimeoutError)
  const begun = performance.now()
  await expect(event.wait({ timeoutMs })).rejects.toThrow(TimeoutError)
  expect(performance.now() - begun).toBeGreaterThanOrEqual(timeoutMs - 2)
  event.set()
  expect(event.isSet).toBe(true)
  await event.wait()
  await event.wait({ timeoutMs })
  event.waitSync()
  event.clear()
  expect(event.isSet).toBe(false)
  const waiting = event.wait()
  await (await Remote.open('Event', event.name)).call('set')
  await waiting
})

test('test_repr: tells whether it is set', () => {
  const event = keep(Event.create(name()))
  expect(event.stat().value).toBe(0)
  event.set()
  expect(event.stat().value).toBe(1)
  event.clear()
  expect(event.stat().value).toBe(0)
})
