// Loaded into every process under test, owner or broker: carries out orders there.
import childProcess from 'node:child_process'
import type { SpawnOptions } from 'node:child_process'
import { openSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { createServer } from 'node:net'
import { queryObjects } from 'node:v8'
import { isMainThread } from 'node:worker_threads'
import { CONTROL, controlPath } from './orders.ts'
import type { Holdings, Order } from './orders.ts'

/** So much of everything with each order. */
const LEAKED_AT_ONCE = 10
const LEAKED_BYTES = 2 * 1024 * 1024
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The part of a diagnostic report that is looked at; a thread's is like that of the process. */
interface Report {
  readonly libuv: readonly { readonly type: string }[]
  readonly workers?: readonly Report[]
}

// The class of timers has no name.
const Timer = setTimeout(() => {}, 0).constructor
const leaked: unknown[] = []

if (isMainThread) {
  passOn()
  listen(controlPath(process.env[CONTROL]!, process.pid))
}

/** A broker that an owner starts, and one's successor, are under test as well. */
function passOn(): void {
  const { spawn } = childProcess
  const spawnLike = (program: string, args: readonly string[], options: SpawnOptions): unknown =>
    spawn(program, ['--import', import.meta.url, ...args], options)
  Object.assign(childProcess, { spawn: spawnLike })
  syncBuiltinESMExports()
}

function listen(path: string): void {
  // Numbers of processes come again.
  rmSync(path, { force: true })
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let order = ''
    socket.setEncoding('utf8')
    socket.on('data', (piece: string) => (order += piece))
    socket.on('end', () => socket.end(JSON.stringify(obey(JSON.parse(order) as Order))))
    // Whoever asked has gone.
    socket.on('error', () => {})
  })
  server.listen(path).unref()
}

function obey(order: Order): Holdings | null {
  switch (order.kind) {
    case 'block':
      block(order.milliseconds)
      return null
    case 'leak':
      for (let count = 0; count < LEAKED_AT_ONCE; count++) leak()
      return null
    case 'count':
      return { handles: handlesOf(process.report.getReport() as Report), timers: queryObjects(Timer) as number }
  }
}

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

function leak(): void {
  const { port1, port2 } = new MessageChannel()
  const timer = setTimeout(() => {}, LONGEST_TIMER_MS)
  // They are to be noticed all the same.
  timer.unref()
  leaked.push(port1, port2, timer, openSync('/dev/null', 'r'), Buffer.alloc(LEAKED_BYTES, 1))
}

function handlesOf({ libuv, workers = [] }: Report): number {
  // The event loop itself is in the list.
  const own = libuv.filter(({ type }) => type !== 'loop').length
  return workers.reduce((sum, worker) => sum + handlesOf(worker), own)
}
