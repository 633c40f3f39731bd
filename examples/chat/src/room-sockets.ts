import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { RawData, WebSocket } from 'ws'
import { ROOM_NAME_RULE, checkName, checkText, isRoomName } from './checks.ts'
import type { Member, Room, RoomEvent, Rooms } from './room.ts'
import { isSameOrigin } from './same-origin.ts'
import { TokenBucket } from './token-bucket.ts'

/** A client that lets this much pile up is not reading; it may come back. A full history is at most 2.4 MB. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024
const MAX_FRAME_BYTES = 16 * 1024
const HEARTBEAT_MS = 30_000
/** How long clients may take to say goodbye when the process stops. */
const GOODBYE_MS = 1000
/** Frames that one client may send at once, and then per second: more than anybody types. */
const BURST = 30
const PER_SECOND = 10

/** What a client is told about its own frames, beside the events of its room. */
type Reply =
  | { readonly type: 'welcome'; readonly [key: string]: unknown }
  | { readonly type: 'error'; readonly error: string; readonly of?: unknown }

/** Serves the rooms over WebSocket on the server that serves the pages: `…/:room?name=Ada`. */
export class RoomSockets {
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_FRAME_BYTES })
  readonly #heartbeat: NodeJS.Timeout
  readonly #alive = new WeakSet<WebSocket>()
  /** Another one after a restart: clients then know that what they have seen is gone. */
  readonly #epoch = randomUUID()

  constructor(server: Server, rooms: Rooms) {
    server.on('upgrade', (request, socket, head) => {
      const target = findTarget(request, rooms)
      if ('error' in target) return refuse(socket, target.status, target.error)
      this.#sockets.handleUpgrade(request, socket, head, (client) =>
        this.#serve(client, target.room, target.name, rooms),
      )
      // When the handshake was refused, nobody came in.
      rooms.release(target.room)
    })
    this.#heartbeat = setInterval(() => this.#dropDead(), HEARTBEAT_MS).unref()
  }

  get connectionCount(): number {
    return this.#sockets.clients.size
  }

  /** Says goodbye to everybody, and hangs up on who does not answer. */
  close(): void {
    clearInterval(this.#heartbeat)
    for (const client of this.#sockets.clients) client.close(1012, 'the process is going away')
    setTimeout(() => this.#sockets.clients.forEach((client) => client.terminate()), GOODBYE_MS).unref()
  }

  #serve(client: WebSocket, room: Room, name: string, rooms: Rooms): void {
    const send = (event: RoomEvent | Reply): void => {
      if (client.readyState !== client.OPEN) return
      if (client.bufferedAmount > MAX_BUFFERED_BYTES) client.terminate()
      else client.send(JSON.stringify(event))
    }
    const member: Member = { id: randomUUID(), name, send }
    const bucket = new TokenBucket(BURST, PER_SECOND)
    this.#alive.add(client)
    client.on('pong', () => this.#alive.add(client))
    client.on('error', () => client.terminate())
    client.on('close', () => {
      room.leave(member)
      rooms.release(room)
    })
    client.on('message', (data, isBinary) => {
      const reply = onFrame(room, member, bucket, isBinary ? undefined : data)
      if (reply !== undefined) send(reply)
    })
    room.join(member)
    const { people, history } = room
    send({ type: 'welcome', room: room.name, pid: process.pid, epoch: this.#epoch, you: member.id, people, history })
  }

  #dropDead(): void {
    for (const client of this.#sockets.clients) {
      if (!this.#alive.delete(client)) client.terminate()
      else client.ping()
    }
  }
}

/** Does what a frame says; returns what is wrong with it, if anything. */
function onFrame(room: Room, member: Member, bucket: TokenBucket, data: RawData | undefined): Reply | undefined {
  if (data === undefined) return { type: 'error', error: 'frames must be text' }
  const frame = parse(data)
  if (frame === undefined) return { type: 'error', error: 'frames must be JSON objects' }
  const problem = bucket.take() ? obey(room, member, frame) : `not so fast: ${PER_SECOND} frames a second are enough`
  return problem === undefined ? undefined : { type: 'error', error: problem, of: frame['type'] }
}

function obey(room: Room, member: Member, frame: Record<string, unknown>): string | undefined {
  switch (frame['type']) {
    case 'message': {
      const text = checkText(frame['text'])
      if ('error' in text) return text.error
      room.post(member.id, member.name, text.value)
      return undefined
    }
    case 'name': {
      const name = checkName(frame['name'])
      if ('error' in name) return name.error
      room.rename(member, name.value)
      return undefined
    }
    case 'typing':
      room.typing(member)
      return undefined
    default:
      return 'type must be message, name or typing'
  }
}

function parse(data: RawData): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse((data as Buffer).toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

type Target = { readonly room: Room; readonly name: string } | { readonly status: number; readonly error: string }

function findTarget(request: IncomingMessage, rooms: Rooms): Target {
  if (!isSameOrigin(request)) return { status: 403, error: 'pages of other sites may not listen here' }
  const [, roomName = '', query] = /^\/([^/?]*)(?:\?(.*))?$/.exec(request.url ?? '') ?? []
  if (!isRoomName(roomName)) return { status: 400, error: ROOM_NAME_RULE }
  const name = checkName(new URLSearchParams(query).get('name') ?? 'guest')
  if ('error' in name) return { status: 400, error: name.error }
  const room = rooms.open(roomName)
  return room === undefined ? { status: 503, error: 'there are too many rooms' } : { room, name: name.value }
}

function refuse(socket: Duplex, status: number, error: string): void {
  const body = JSON.stringify({ error })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  socket.on('error', () => {})
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}
