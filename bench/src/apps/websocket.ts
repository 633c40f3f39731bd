import { createServer } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import { type ListenApp, listenHttp } from './app.ts'

/** `/N/echo` sends every message back, `/N/room` sends it to everybody in the room. */
export const listen: ListenApp = (place) => {
  const server = createServer((_request, response) => response.setHeader('X-Owner', place.owner).end())
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  /** By path, so that one process which serves all prefixes has as many rooms as eight. */
  const rooms = new Map<string, Set<WebSocket>>()
  sockets.on('connection', (socket, { url = '' }) => {
    const members = url.endsWith('/room') ? (rooms.get(url) ?? new Set()) : undefined
    if (members !== undefined) rooms.set(url, members.add(socket))
    socket.on('message', (data, binary) => {
      if (members === undefined) return socket.send(data, { binary })
      for (const member of members) if (member.readyState === WebSocket.OPEN) member.send(data, { binary })
    })
    socket.on('close', () => members?.delete(socket))
    socket.on('error', () => socket.terminate())
  })
  return listenHttp(server, place)
}
