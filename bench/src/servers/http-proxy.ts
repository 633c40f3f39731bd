// npm's http-proxy in front of the owners, as its README has it, with keep-alive to them. Arguments: the owners' ports, the first being
// that of /1/, and `strip` when they see paths without their prefix. Prints its port when it listens.
import { Agent, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import httpProxy from 'http-proxy'

const isStripped = process.argv.includes('strip')
const ports = process.argv.slice(2).filter((argument) => argument !== 'strip')
const targets = ports.map((port) => `http://127.0.0.1:${port}`)
// Without an agent it opens a connection for every request, which costs several times as much.
const proxy = httpProxy.createProxyServer({
  agent: new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY }),
})
proxy.on('error', (_error, _request, response) => {
  if ('writeHead' in response) response.writeHead(502).end()
  else response.destroy()
})

function targetOf(request: { url?: string | undefined }): string {
  const [, owner = ''] = (request.url ?? '').split('/')
  if (isStripped) request.url = (request.url ?? '').slice(owner.length + 1)
  return targets[Number(owner) - 1] ?? ''
}

const server = createServer((request, response) => proxy.web(request, response, { target: targetOf(request) }))
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head, { target: targetOf(request) }))
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
