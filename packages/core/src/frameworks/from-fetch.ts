import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import type { FetchHandler } from './framework.ts'

/** Makes a node:http handler of a `Request → Response` function; bodies stream both ways, and a client that leaves aborts the request. */
export function fromFetch(fetch: FetchHandler): RequestListener {
  return (incoming, response) => void respond(fetch, incoming, response)
}

async function respond(fetch: FetchHandler, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const abort = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) abort.abort()
  })
  try {
    const request = requestOf(incoming, abort.signal)
    if (request === null) return void response.writeHead(400).end()
    await send(await fetch(request), incoming, response)
  } catch (error) {
    // A client that has left is the end of many a stream, and no fault of the app.
    if (abort.signal.aborted) return
    process.emitWarning(error as Error)
    if (response.headersSent) response.destroy()
    else response.writeHead(500).end()
  }
}

/** null when the client's Host or target make no URL, or the method is one that `Request` forbids. */
function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request | null {
  const { method = 'GET', rawHeaders, socket } = incoming
  const scheme = 'encrypted' in socket && socket.encrypted ? 'https' : 'http'
  const headers = new Headers()
  for (let index = 0; index < rawHeaders.length; index += 2) headers.append(rawHeaders[index]!, rawHeaders[index + 1]!)
  const hasBody = method !== 'GET' && method !== 'HEAD' && !incoming.complete
  // @types/node 20 does not know `duplex`, which a body that streams needs.
  const body = hasBody ? ({ body: Readable.toWeb(incoming), duplex: 'half' } as object) : {}
  try {
    const url = new URL(incoming.url ?? '/', `${scheme}://${incoming.headers.host ?? 'localhost'}`)
    return new Request(url, { method, headers, signal, ...body })
  } catch {
    return null
  }
}

async function send(answer: Response, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  response.statusCode = answer.status
  if (answer.statusText !== '') response.statusMessage = answer.statusText
  for (const [name, value] of answer.headers) if (name !== 'set-cookie') response.setHeader(name, value)
  const cookies = answer.headers.getSetCookie()
  if (cookies.length > 0) response.setHeader('set-cookie', cookies)
  if (answer.body === null || incoming.method === 'HEAD') {
    await answer.body?.cancel()
    response.end()
    return
  }
  await pipeline(Readable.fromWeb(answer.body as ReadableStream), response)
}
