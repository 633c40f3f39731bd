import type { IncomingMessage, Server } from 'node:http'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { checkName, checkText } from './room.ts'
import type { Member, Room, Rooms } from './room.ts'

/** A client that lets this much pile up is not reading; it may come back. */
const MAX_BUFFERED_BYTES = 1024 * 1024
const HEARTBEAT_MS = 30_000
const MAX_FRAME_BYTES = 16 * 1024

/** Serves the rooms over WebSocket on the server that serves the pages: `…/:room?name=Ada`. */
export class RoomSockets {
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES })
  readonly #heartbeat: NodeJS.Timeout
  readonly #alive = new WeakSet<WebSocket>()

  constructor(server: Server, rooms: Rooms) {
    server.on('upgrade', (request, socket, head) => {
      const { room, name } = target(request, rooms)
      if (!isSameOrigin(request)) return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
      if (room === undefined) return void socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#serve(client, room, name))
    })
    this.#heartbeat = setInterval(() => this.#dropDead(), HEARTBEAT_MS).unref()
  }

  get connectionCount(): number {
    return this.#sockets.clients.size
  }

  close(): void {
    clearInterval(this.#heartbeat)
    for (const client of this.#sockets.clients) client.close(1001, 'the process is going away')
  }

  #serve(client: WebSocket, room: Room, name: string): void {
    const send = (event: object): void => {
      if (client.bufferedAmount > MAX_BUFFERED_BYTES) client.terminate()
      else if (client.readyState === client.OPEN) client.send(JSON.stringify(event))
    }
    const member: Member = { name, send }
    this.#alive.add(client)
    client.on('pong', () => this.#alive.add(client))
    client.on('error', () => client.terminate())
    client.on('close', () => room.leave(member))
    client.on('message', (data, isBinary) => {
      const problem = isBinary ? 'frames must be text' : onFrame(room, member, (data as Buffer).toString('utf8'))
      if (problem !== undefined) send({ type: 'error', error: problem })
    })
    send({ type: 'welcome', room: room.name, history: room.history, pid: process.pid })
    room.join(member)
  }

  #dropDead(): void {
    for (const client of this.#sockets.clients) {
      if (!this.#alive.delete(client)) client.terminate()
      else client.ping()
    }
  }
}

/** Does what a frame says; returns what is wrong with it, if anything. */
function onFrame(room: Room, member: Member, text: string): string | undefined {
  let frame: Record<string, unknown>
  try {
    frame = Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return 'frames must be JSON'
  }
  switch (frame['type']) {
    case 'message': {
      const checked = checkText(frame['text'])
      if ('error' in checked) return checked.error
      room.post(member.name, checked.text)
      return undefined
    }
    case 'name': {
      const checked = checkName(frame['name'])
      if ('error' in checked) return checked.error
      room.rename(member, checked.name)
      return undefined
    }
    case 'typing':
      room.typing(member)
      return undefined
    default:
      return `type must be message, name or typing, not ${JSON.stringify(frame['type'])?.slice(0, 60)}`
  }
}

/** Browsers let any page open a WebSocket anywhere, but say where the page is from; other clients say nothing. */
function isSameOrigin({ headers }: IncomingMessage): boolean {
  return headers.origin === undefined || headers.origin.replace(/^https?:\/\//, '') === headers.host
}

function target(request: IncomingMessage, rooms: Rooms): { room: Room | undefined; name: string } {
  const url = new URL(request.url ?? '/', 'http://room')
  const room = rooms.open(url.pathname.split('/').findLast((segment) => segment !== '') ?? '')
  const checked = checkName(url.searchParams.get('name') ?? 'guest')
  return { room, name: 'name' in checked ? checked.name : 'guest' }
}
