import { createServer } from 'node:http'
import { type ListenApp, listenHttp } from './app.ts'
import { HELLO } from './hello.ts'

/** A hello world that every cache in front may keep for a minute. */
export const listen: ListenApp = (place) =>
  listenHttp(
    createServer((request, response) => {
      if (request.url === `/${place.owner}/owner`) response.setHeader('X-Owner', place.owner)
      else response.setHeader('Cache-Control', 'public, max-age=60')
      response.setHeader('Content-Type', 'text/plain')
      response.end(HELLO)
    }),
    place,
  )
