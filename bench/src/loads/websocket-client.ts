// WebSocket clients, as many as there are paths, each with one message of its own under way. Reads a WebSocketTarget as JSON and prints a
// WebSocketResult. Every message that comes back must be one that was sent; a closed connection is a failure.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { Latencies } from '@httpsys/core/measure'
import { WebSocket } from 'ws'
import type { WebSocketResult, WebSocketTarget } from './websocket.ts'

const { port, paths, messageBytes, fanOut, seconds } = JSON.parse(await text(process.stdin)) as WebSocketTarget
const NUMBER_BYTES = 8
const latencies = new Latencies()
let messages = 0
let isOver = false

const sockets = await Promise.all(
  paths.map(async (path) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false })
    await once(socket, 'open')
    return socket
  }),
)
const started = performance.now()
for (const [number, socket] of sockets.entries()) talk(number, socket)
setTimeout(finish, seconds * 1e3)

function talk(number: number, socket: WebSocket): void {
  const message = Buffer.alloc(Math.max(messageBytes, NUMBER_BYTES), 'x')
  message.writeDoubleLE(number)
  let sentAt = started
  socket.on('message', (data: Buffer) => {
    if (isOver) return
    messages++
    if (data.length !== message.length) fail(`a message of ${data.length} bytes came back`)
    const from = data.readDoubleLE()
    if (fanOut === 1 && from !== number) fail(`client ${number} got the message of client ${from}`)
    if (from !== number) return
    const now = performance.now()
    latencies.add(now - sentAt)
    sentAt = now
    socket.send(message)
  })
  socket.on('close', (code) => isOver || fail(`a connection closed with ${code}`))
  socket.on('error', (error) => fail(error.message))
  socket.send(message)
}

function finish(): void {
  isOver = true
  const result: WebSocketResult = {
    messages,
    seconds: (performance.now() - started) / 1e3,
    p50: latencies.percentile(0.5),
    p99: latencies.percentile(0.99),
    p999: latencies.percentile(0.999),
  }
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
}

function fail(reason: string): never {
  console.error(reason)
  process.exit(1)
}
