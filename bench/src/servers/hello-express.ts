import express, { type Express } from 'express'
import { HELLO } from './hello.ts'

/**
 * Express's hello world with Express's own settings (ETag, X-Powered-By). The measured route comes first.
 *
 * @param mount - where its routes begin: `''` when something in front strips the prefix, `/:owner` for one app that serves all
 */
export function createHelloExpress(owner: string, mount: '' | '/:owner'): Express {
  const app = express()
  app.get(`${mount}/`, (_request, response) => {
    response.send(HELLO)
  })
  app.get(`${mount}/owner`, (_request, response) => {
    response.set('X-Owner', owner).send(HELLO)
  })
  return app
}
