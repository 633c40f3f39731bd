import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type ListenApp, listenHttp } from './app.ts'

const bodies = new Map<number, Buffer>()

/** `/N/bytes/SIZE` sends so many bytes, `/N/upload` takes a body and answers with its length. */
export const listen: ListenApp = (place) =>
  listenHttp(
    createServer((request, response) => {
      const [, , kind, size] = (request.url ?? '').split('/')
      if (kind === 'owner') response.setHeader('X-Owner', place.owner)
      if (kind === 'upload') countBody(request, response)
      else send(response, Number(size ?? 0))
    }),
    place,
  )

function send(response: ServerResponse, size: number): void {
  const body = bodies.get(size) ?? Buffer.alloc(size, 'x')
  bodies.set(size, body)
  response.setHeader('Content-Type', 'application/octet-stream')
  response.end(body)
}

function countBody(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0
  request.on('data', (chunk: Buffer) => (bytes += chunk.length))
  request.on('end', () => response.end(String(bytes)))
}
