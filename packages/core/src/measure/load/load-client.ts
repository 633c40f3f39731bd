// The built-in load generator, a process of its own so that it can be pinned and its CPU is told from the servers'. Reads an
// HttpTarget as JSON from its standard input and prints a LoadResult.
import { text } from 'node:stream/consumers'
import { formatRequest } from './http-request.ts'
import type { HttpTarget, LoadResult } from './http-load.ts'
import { Latencies } from './latencies.ts'
import { LoadConnection } from './load-connection.ts'

const target = JSON.parse(await text(process.stdin)) as HttpTarget
/** A request without an answer for so long has failed, as with wrk. */
const TIMEOUT_MS = 2_000

const host = `127.0.0.1:${target.port}`
const requests = target.requests.map((request) => formatRequest(request, host))
const isHead = target.requests[0]?.method === 'HEAD'
const latencies = new Latencies()
let badStatuses = 0
let answered = 0
let socketErrors = 0
let position = 0

const connections = Array.from(
  { length: target.connections },
  () => new LoadConnection(target, isHead, { onAnswer, onFailure }),
)
const isReady = await Promise.all(connections.map((connection) => connection.opened))
socketErrors += isReady.filter((isOpen) => !isOpen).length
/** Connections without a request under way, the longest waiting first. */
let free = connections.slice()
const started = performance.now()
const end = started + target.seconds * 1e3
/** With a rate: when requests were due for which no connection was free. */
const due: number[] = []
let sent = 0

if (target.rate === undefined) for (const connection of connections) sendOn(connection, started)
else setImmediate(keepRate, target.rate)
setTimeout(finish, target.seconds * 1e3)

/** Each connection starts elsewhere in the cycle, and the shuffle of answers mixes them further. */
function sendOn(connection: LoadConnection, since: number): void {
  connection.send(requests[position]!, since)
  position = (position + 1) % requests.length
}

/** A timer wakes once a millisecond at best and would send in bursts: the loop spins instead, on a CPU of its own. */
function keepRate(rate: number): void {
  const now = performance.now()
  if (now >= end) return
  const expected = Math.floor(((now - started) / 1e3) * rate)
  while (sent < expected) due.push(started + (sent++ / rate) * 1e3)
  while (due.length > 0 && free.length > 0) sendOn(free.shift()!, due.shift()!)
  setImmediate(keepRate, rate)
}

function onAnswer(connection: LoadConnection, status: number, since: number): void {
  const now = performance.now()
  latencies.add(now - since)
  answered++
  if (status >= 400) badStatuses++
  if (target.rate !== undefined) free.push(connection)
  // A shift against the cycle: with as many connections as requests each would have the same one for ever.
  else if (now < end) {
    if (answered % 61 === 0) position = (position + 1) % requests.length
    sendOn(connection, now)
  }
}

function onFailure(): void {
  socketErrors++
}

function finish(): void {
  const now = performance.now()
  for (const since of [...due, ...connections.flatMap(({ waitingSince }) => waitingSince ?? [])]) {
    if (now - since > TIMEOUT_MS) socketErrors++
    // What is late counts with what it has waited so far: leaving it out would hide a stall.
    if (target.rate !== undefined) latencies.add(now - since)
  }
  const result: LoadResult = {
    requests: answered,
    bytes: connections.reduce((sum, connection) => sum + connection.bytes, 0),
    seconds: (now - started) / 1e3,
    p50: latencies.percentile(0.5),
    p99: latencies.percentile(0.99),
    p999: latencies.percentile(0.999),
    badStatuses,
    socketErrors,
  }
  free = []
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
}
