import { fileURLToPath } from 'node:url'
import express from 'express'
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express'
import { ROOM_NAME_RULE, checkName, checkText, isRoomName } from './checks.ts'
import { iconSvg, themeCss } from './hues.ts'
import { errorPage, lobbyPage, roomPage } from './pages.ts'
import type { Place } from './pages.ts'
import type { Room, Rooms } from './room.ts'
import { isSameOrigin } from './same-origin.ts'

const publicDirectory = fileURLToPath(new URL('../public', import.meta.url))

const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
}

/** What `/status` shows first. */
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
export function createRoomApp(rooms: Rooms, place: Place, status: () => Status): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use((_request, response, next) => {
    response.set(SECURITY_HEADERS)
    next()
  })

  app.get(
    '/assets/theme.css',
    (_request, response) => void response.type('css').send(themeCss(place.process, place.all)),
  )
  app.get('/assets/icon.svg', (_request, response) => void response.type('svg').send(iconSvg(place.process)))
  app.use('/assets', express.static(publicDirectory, { index: false, redirect: false }))

  app.get('/', endingInSlash, (request, response) => {
    const wanted = request.query['room']
    if (typeof wanted !== 'string') sendPage(response, lobbyPage(place, rooms.list()))
    else if (isRoomName(wanted)) response.redirect(303, wanted)
    else sendPage(response.status(400), lobbyPage(place, rooms.list(), `“${wanted}” can't be: ${ROOM_NAME_RULE}.`))
  })
  app.get('/status', (_request, response) => {
    const list = rooms.list().map(({ name, memberCount, history }) => ({
      name,
      people: memberCount,
      messages: history.length,
    }))
    response.set('Cache-Control', 'no-store').json({ ...status(), list })
  })
  app.param('room', (_request, _response, next, name: string) => {
    if (isRoomName(name)) next()
    else next(new Refusal(400, ROOM_NAME_RULE))
  })
  app.get('/:room', notEndingInSlash, (request, response) => {
    sendPage(response, roomPage(place, request.params['room'] as string, rooms.list()))
  })
  app.get('/:room/messages', (request, response) => {
    response.set('Cache-Control', 'no-store').json(rooms.find(request.params.room)?.history ?? [])
  })
  app.post('/:room/messages', onlySameOrigin, ...bodyParsers(), (request, response) => {
    const body = (request.body ?? {}) as Record<string, unknown>
    const name = checkName(body['name'] ?? 'curl')
    if ('error' in name) throw new Refusal(400, name.error)
    const text = checkText(body['text'])
    if ('error' in text) throw new Refusal(400, text.error)
    response.status(201).json(open(rooms, request.params['room'] as string).post(null, name.value, text.value))
  })

  app.use(() => {
    throw new Refusal(404, 'there is no such page')
  })
  app.use((error: { status?: number; message: string }, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) return next(error)
    const code = error.status ?? 500
    response.status(code)
    if (request.accepts(['json', 'html']) === 'html')
      sendPage(response, errorPage(place, up(request), code, error.message))
    else response.json({ error: error.message })
  })
  return app
}

/** A request that can't be served, with the reason for the client. */
class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

function open(rooms: Rooms, name: string): Room {
  const room = rooms.open(name)
  if (room === undefined) throw new Refusal(503, 'there are too many rooms')
  return room
}

function sendPage(response: Response, text: string): void {
  response.set('Cache-Control', 'no-cache').type('html').send(text)
}

/** JSON, or a form as `curl -d` and `<form>` send it. */
function bodyParsers(): RequestHandler[] {
  const limit = '16kb'
  const onlyParsed: RequestHandler = (request, _response, next) => {
    if (request.is(['json', 'urlencoded'])) next()
    else next(new Refusal(415, 'send JSON (content-type: application/json) or a form'))
  }
  return [onlyParsed, express.json({ limit }), express.urlencoded({ limit, extended: false })]
}

const onlySameOrigin: RequestHandler = (request, _response, next) => {
  if (isSameOrigin(request)) next()
  else next(new Refusal(403, 'pages of other sites may not write here'))
}

// Links are relative, so the lobby's URL must end in a slash and a room's must not, wherever the app is mounted.

const endingInSlash: RequestHandler = (request, response, next) => {
  const [path, query] = split(request)
  if (path.endsWith('/')) next()
  else response.redirect(308, `./${path.slice(path.lastIndexOf('/') + 1)}/${query}`)
}

const notEndingInSlash: RequestHandler = (request, response, next) => {
  const [path, query] = split(request)
  if (path.endsWith('/'))
    response.redirect(308, `../${path.slice(0, -1).slice(path.lastIndexOf('/', path.length - 2) + 1)}${query}`)
  else next()
}

function split(request: Request): [path: string, query: string] {
  const url = request.originalUrl
  const index = url.indexOf('?')
  return index === -1 ? [url, ''] : [url.slice(0, index), url.slice(index)]
}

/** The way from a page to its process's first page, which may be several segments up. */
function up(request: Request): string {
  return './' + '../'.repeat(Math.max(0, request.path.split('/').length - 2))
}
