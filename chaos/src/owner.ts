// One owner process: `node owner.js PREFIX MODE`.
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import httpsys from '@httpsys/core'
import type { UrlPrefix } from '@httpsys/core'
import { WebSocketServer } from 'ws'
import './inside.ts'
import { contentOf, receiptOf } from './content.ts'

const [, , prefix = '/', mode = 'create'] = process.argv

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost')
  response.setHeader('X-Prefix', prefix)
  if (request.method === 'GET') download(url, response)
  else upload(request, response)
})

/** In two pieces, with a turn between them: an owner may die between the two. */
function download(url: URL, response: ServerResponse): void {
  const body = contentOf(prefix, Number(url.searchParams.get('number')), Number(url.searchParams.get('size')))
  response.setHeader('Content-Length', body.length)
  const half = Math.floor(body.length / 2)
  response.write(body.subarray(0, half))
  setImmediate(() => response.end(body.subarray(half)))
}

function upload(request: IncomingMessage, response: ServerResponse): void {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => response.end(receiptOf(prefix, Buffer.concat(pieces))))
}

const sockets = new WebSocketServer({ server })
sockets.on('connection', (socket) => {
  socket.on('error', () => {})
  socket.on('message', (data: Buffer) => socket.send(`${prefix} ${data.toString()}`))
})

function leave(): void {
  for (const socket of sockets.clients) socket.close(1012)
  httpsys.retire(server)
  server.once('close', () => process.exit())
}
server.on('drain', leave)
process.on('SIGTERM', leave)
process.on('disconnect', () => process.exit())
server.on('listening', () => process.send?.('listening'))
server.on('error', (error) => {
  console.error(`owner of ${prefix}: ${error.message}`)
  process.exit(1)
})
server.listen(httpsys.prefix(prefix, { mode: mode as UrlPrefix['mode'] }))
