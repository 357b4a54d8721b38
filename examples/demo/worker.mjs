// Takes jobs and enters each in a ledger, until it is told to stop.
//
//   node worker.mjs ADDRESS LEDGER
import { openSync, writeSync } from 'node:fs'
import { json, Queue } from 'ipckit'

const [address, ledger] = process.argv.slice(2)
const entries = openSync(ledger, 'a')

const queue = await Queue.open(address, { codec: json() })
process.once('SIGTERM', () => queue.close())
console.log(JSON.stringify({ ready: true, pid: process.pid }))
for await (const job of queue) writeSync(entries, `${JSON.stringify({ json: job })}\n`)
