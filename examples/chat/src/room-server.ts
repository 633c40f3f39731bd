import httpsys from '@httpsys/express'
import type { HttpSysError } from '@httpsys/express'
import { createRoomApp } from './room-app.ts'
import type { Status } from './room-app.ts'
import { RoomSockets } from './room-sockets.ts'
import { Rooms } from './room.ts'

/** What a room process tells the launcher. */
export type Report =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'status'; readonly status: Status }
  | { readonly kind: 'error'; readonly message: string }

const REPORT_MS = 1000

const prefix = `/${process.argv[2]}/`
const rooms = new Rooms()
let requests = 0

const app = createRoomApp(rooms, status)
const server = app.listen(httpsys.prefix(prefix))
const sockets = new RoomSockets(server, rooms)

server.on('request', () => requests++)
server.on('listening', () => {
  const { port } = server.address() as { port: number }
  report({ kind: 'listening', port })
  if (process.send === undefined) console.log(`http://localhost:${port}${prefix}  pid ${process.pid}`)
  setInterval(() => report({ kind: 'status', status: status() }), REPORT_MS).unref()
})
server.on('error', (error: HttpSysError) => {
  if (process.send === undefined) console.error(error.message)
  report({ kind: 'error', message: error.message })
  process.exitCode = 1
  process.disconnect?.()
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop)
// Without the launcher there is nobody to stop this process.
process.once('disconnect', stop)

function stop(): void {
  sockets.close()
  server.close(() => process.exit())
  server.closeIdleConnections()
}

function status(): Status {
  return {
    prefix,
    pid: process.pid,
    rooms: rooms.list().length,
    connections: sockets.connectionCount,
    requests,
    uptime: Math.round(process.uptime()),
  }
}

function report(message: Report): void {
  if (process.connected) process.send!(message)
}
