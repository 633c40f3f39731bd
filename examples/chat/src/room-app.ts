import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import express from 'express'
import type { Express, NextFunction, Request, Response } from 'express'
import { checkName, checkText } from './room.ts'
import type { Room, Rooms } from './room.ts'

const publicDirectory = fileURLToPath(new URL('../public', import.meta.url))

/** What `/status` shows. */
export interface Status {
  readonly prefix: string
  readonly pid: number
  readonly rooms: number
  readonly connections: number
  readonly requests: number
  /** Seconds. */
  readonly uptime: number
}

/** An ordinary Express app: it knows nothing of prefixes and could be mounted anywhere. */
export function createRoomApp(rooms: Rooms, status: () => Status): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use((_request, response, next) => {
    response.setHeader(
      'Content-Security-Policy',
      "default-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; style-src 'self' 'unsafe-inline'",
    )
    response.setHeader('X-Content-Type-Options', 'nosniff')
    next()
  })
  app.use('/assets', express.static(publicDirectory, { index: false, maxAge: '1m' }))
  app.get('/', (request, response) => page(request, response, 'lobby.html'))
  app.get('/status', (_request, response) => {
    response.set('Cache-Control', 'no-store').json({ ...status(), list: rooms.list().map(describe) })
  })
  app.get('/:room', (request, response) => {
    if (open(rooms, request, response)) page(request, response, 'room.html')
  })
  app.get('/:room/messages', (request, response) => {
    const room = open(rooms, request, response)
    if (room) response.set('Cache-Control', 'no-store').json(room.history)
  })
  app.post('/:room/messages', express.json({ limit: '16kb' }), (request, response) => {
    const room = open(rooms, request, response)
    if (!room) return
    const body = (request.body ?? {}) as Record<string, unknown>
    const name = checkName(body['name'] ?? 'curl')
    const text = checkText(body['text'])
    if ('error' in name) response.status(400).json(name)
    else if ('error' in text) response.status(400).json(text)
    else response.status(201).json(room.post(name.name, text.text))
  })
  app.use((_request, response) => {
    response.status(404).json({ error: 'there is no such page' })
  })
  app.use((error: { status?: number; message: string }, _request: Request, response: Response, _next: NextFunction) => {
    response.status(error.status ?? 500).json({ error: error.message })
  })
  return app
}

/** Pages use relative links, so the lobby's URL must end in a slash wherever the app is mounted. */
function page(request: Request, response: Response, file: string): void {
  const path = request.originalUrl.split('?')[0]!
  if (file === 'lobby.html' && !path.endsWith('/')) return response.redirect(308, `${path}/`)
  if (file === 'room.html' && path.endsWith('/')) return response.redirect(308, path.slice(0, -1))
  response.set('Cache-Control', 'no-cache').sendFile(join(publicDirectory, file))
}

function open(rooms: Rooms, request: Request<{ room: string }>, response: Response): Room | undefined {
  const room = rooms.open(request.params.room)
  if (room === undefined) {
    response.status(400).json({ error: 'a room name has 1 to 40 letters, digits, dashes or underscores' })
  }
  return room
}

function describe(room: Room): { name: string; members: number; messages: number } {
  return { name: room.name, members: room.memberCount, messages: room.history.length }
}
