import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'

const module = new URL('../../../dist/broker/rendezvous/ticket-keys.js', import.meta.url).href
const THREADS = 3
const DAYS = 200
const DAY_MS = 24 * 3600 * 1000

/** Asks for the keys of one day after the other, at the same moments as the other threads. */
const thread = `
const { parentPort, workerData: { module, directory, arrived } } = require('node:worker_threads')
import(module).then(({ ticketKeys }) => {
  const keys = []
  for (let day = 1; day <= ${DAYS}; day++) {
    Atomics.add(arrived, 0, 1)
    Atomics.notify(arrived, 0)
    for (let count; (count = Atomics.load(arrived, 0)) < day * ${THREADS};) Atomics.wait(arrived, 0, count)
    keys.push(ticketKeys(directory, (20_000 + day) * ${DAY_MS}).toString('hex'))
  }
  parentPort.postMessage(keys)
})`

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'httpsys-keys-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

test('threads that make the keys of a day at the same time have the same ones, and each day has others', async () => {
  const arrived = new Int32Array(new SharedArrayBuffer(4))
  const workerData = { module, directory, arrived }
  const workers = Array.from({ length: THREADS }, () => new Worker(thread, { eval: true, workerData }))
  const [first, ...others] = await Promise.all(
    workers.map(async (worker) => ((await once(worker, 'message')) as [string[]])[0]),
  )
  for (const keys of others) expect(keys).toEqual(first)
  expect(new Set(first).size).toBe(DAYS)
  expect(readdirSync(directory)).toEqual([`ticket-keys-${20_000 + DAYS}`])
  await Promise.all(workers.map((worker) => worker.terminate()))
})
