// A plain node:http server on a prefix, with what the tests ask for: plain.mjs PREFIX [NAME]
import { once } from 'node:events'
import { createServer } from 'node:http'
import httpsys from '@httpsys/core'
import { obey, tell, unrefControl } from './control.mjs'

const [prefix, name = prefix] = process.argv.slice(2)
const server = createServer((request, response) => {
  const path = request.url.slice(prefix.length - 1).split('?')[0]
  if (path.startsWith('/echo')) return void echo(request, response)
  if (path === '/stream') return void stream(response)
  if (path === '/endless') return endless(response)
  if (path === '/big') return response.end(Buffer.alloc(300_000, 'x'))
  if (path === '/fields') {
    response.setHeader('Set-Cookie', ['a=1', 'b=2'])
    response.setHeader('X-Mixed-Case', 'Ja')
    response.statusCode = 201
    return response.end(JSON.stringify({ url: request.url, method: request.method, raw: request.rawHeaders }))
  }
  response.end(`${name} answers ${request.method} ${request.url}`)
})

async function echo(request, response) {
  const pieces = []
  for await (const piece of request) pieces.push(piece)
  response.setHeader('Content-Type', 'application/octet-stream')
  response.end(Buffer.concat(pieces))
}

async function stream(response) {
  for (const piece of ['one ', 'two ', 'three']) {
    if (!response.write(piece)) await once(response, 'drain')
    await new Promise(setImmediate)
  }
  response.end()
}

/** Until the client leaves. */
function endless(response) {
  const piece = Buffer.alloc(10_000, 'x')
  const pump = () => {
    while (response.write(piece));
  }
  response.on('drain', pump)
  response.on('close', () => tell('left', { isFinished: response.writableFinished }))
  pump()
}

server.on('error', ({ code, syscall, message }) => tell('error', { code, syscall, message }))
server.on('close', () => tell('closed'))
server.listen(httpsys.prefix(prefix), () => tell('listening', { pid: process.pid, address: server.address() }))

obey({
  close: () => server.close(),
  exit: ({ code }) => process.exit(code),
  throw: () => {
    throw new Error('on purpose')
  },
  release: unrefControl,
})
