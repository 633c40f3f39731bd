import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type ListenApp, listenHttp } from './app.ts'

/** The body of every hello world. */
export const HELLO = 'Hello, World!'

/**
 * The measured handler: the same on node:http, behind a proxy and on a shared port. It names its owner only on `/N/owner`,
 * so that the check before the measurement adds nothing to the measured response.
 */
export function createHello(owner: string): (request: IncomingMessage, response: ServerResponse) => void {
  const ownerPath = `/${owner}/owner`
  return (request, response) => {
    if (request.url === ownerPath) response.setHeader('X-Owner', owner)
    response.setHeader('Content-Type', 'text/plain')
    response.end(HELLO)
  }
}

/** node:http alone. */
export const listen: ListenApp = (place) => listenHttp(createServer(createHello(place.owner)), place)
