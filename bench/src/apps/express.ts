import { createServer } from 'node:http'
import { prefix } from '@httpsys/express'
import express from 'express'
import { type ListenApp, listenHttp } from './app.ts'
import { HELLO } from './hello.ts'

/** Express's hello world with Express's own settings (ETag, X-Powered-By). The measured route comes first. */
export const listen: ListenApp = (place) => {
  const app = express()
  app.get(`${place.mount}/`, (_request, response) => {
    response.send(HELLO)
  })
  app.get(`${place.mount}/owner`, (_request, response) => {
    response.set('X-Owner', place.owner).send(HELLO)
  })
  return listenHttp(createServer(app), place, prefix)
}
