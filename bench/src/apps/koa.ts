import { createServer } from 'node:http'
import { prefix } from '@httpsys/koa'
import Koa from 'koa'
import { type ListenApp, listenHttp } from './app.ts'
import { HELLO } from './hello.ts'

/** Koa without a router, which Koa has none of: the app looks at the path itself. */
export const listen: ListenApp = (place) => {
  const app = new Koa()
  app.use((context) => {
    if (context.path.endsWith('/owner')) context.set('X-Owner', place.owner)
    context.body = HELLO
  })
  // Koa's handler answers its own errors; what it returns is only for those who want to wait.
  const handle = app.callback()
  return listenHttp(
    createServer((request, response) => void handle(request, response)),
    place,
    prefix,
  )
}
