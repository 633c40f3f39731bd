import httpsys from '@httpsys/express'
import type { HttpSysError } from '@httpsys/express'
import type { Place } from './pages.ts'
import { createRoomApp } from './room-app.ts'
import type { Status } from './room-app.ts'
import { RoomSockets } from './room-sockets.ts'
import { Rooms } from './room.ts'
import { processCount } from './settings.ts'

/** What a room process tells the launcher. */
export type Report =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'status'; readonly status: Status }
  | ({ readonly kind: 'error' } & Failure)

/** Why a process can't listen; parts of an `HttpSysError`. */
export interface Failure {
  readonly code: string
  readonly subject: string
  readonly message: string
}

const REPORT_MS = 500

const isAlone = process.send === undefined
const number = Number(process.argv[2])
if (!Number.isInteger(number) || number < 1 || number > 999) {
  console.error('usage: node room-server.js NUMBER (1 to 999: the process claims the prefix /NUMBER/)')
  process.exit(2)
}

const prefix = `/${number}/`
const place: Place = { process: number, pid: process.pid, all: neighbours(number) }
const rooms = new Rooms()
let requests = 0

const app = createRoomApp(rooms, place, status)
const server = app.listen(httpsys.prefix(prefix))
const sockets = new RoomSockets(server, rooms)

for (const event of ['request', 'upgrade']) server.on(event, () => requests++)
server.on('listening', () => {
  const { port } = server.address() as { port: number }
  if (isAlone) console.log(`http://localhost:${port}${prefix}  pid ${process.pid}`)
  report({ kind: 'listening', port })
  setInterval(reportStatus, REPORT_MS).unref()
})
server.on('error', ({ code, subject, message }: HttpSysError) => {
  if (isAlone) console.error(message)
  process.exitCode = 1
  report({ kind: 'error', code, subject, message })
  if (process.connected) process.disconnect()
})

// Whoever comes waits for the process that is started next.
process.once('SIGTERM', () => stop(true))
// It has taken the prefix over.
server.once('drain', () => stop(true))
if (isAlone) process.once('SIGINT', () => stop(false))
else {
  // A terminal sends Ctrl-C to every process; the launcher decides what it means.
  process.on('SIGINT', () => {})
  // Without the launcher there is nobody to stop this process.
  process.once('disconnect', () => stop(false))
}

let isStopping = false
function stop(hasSuccessor: boolean): void {
  if (isStopping) return
  isStopping = true
  sockets.close()
  server.once('close', () => process.exit())
  if (hasSuccessor) httpsys.retire(server)
  else server.close()
  server.closeIdleConnections()
}

function status(): Status {
  const { connectionCount: connections } = sockets
  const uptime = Math.round(process.uptime())
  return { prefix, pid: process.pid, rooms: rooms.count, connections, requests, uptime }
}

let reported = ''
function reportStatus(): void {
  const now = status()
  const key = `${now.rooms} ${now.connections} ${now.requests}`
  if (key === reported) return
  reported = key
  report({ kind: 'status', status: now })
}

function report(message: Report): void {
  // Whether the launcher has just gone shows only when it is written to.
  if (process.connected) process.send!(message, () => {})
}

function neighbours(own: number): number[] {
  const all = Array.from({ length: processCount() }, (_, index) => index + 1)
  return all.includes(own) ? all : [...all, own]
}
