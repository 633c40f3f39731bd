// npm's http-proxy in front of the owners, with keep-alive to them, their prefix left out of the path. Arguments: the module's file, and the
// owners' ports, the first being that of /1/. Prints its port when it listens.
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'

/** As much of http-proxy as this uses; it is the user's own copy. */
interface ProxyModule {
  createProxyServer(options: object): {
    web(request: IncomingMessage, response: ServerResponse, options: { target: string }): void
    on(event: 'error', listener: (error: Error, request: IncomingMessage, response: ServerResponse) => void): void
  }
}

const [file = '', ...ports] = process.argv.slice(2)
const { default: module } = (await import(pathToFileURL(file).href)) as { default: ProxyModule }
// Without an agent it opens a connection for every request, which costs several times as much.
const proxy = module.createProxyServer({
  agent: new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY }),
})
proxy.on('error', (_error, _request, response) => response.writeHead(502).end())

const server = createServer((request, response) => {
  const [, owner = ''] = (request.url ?? '').split('/')
  request.url = (request.url ?? '').slice(owner.length + 1)
  proxy.web(request, response, { target: `http://127.0.0.1:${ports[Number(owner) - 1]}` })
})
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
