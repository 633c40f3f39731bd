// @fastify/http-proxy in front of the owners: one registration per prefix. Arguments: the owners' ports, the first being that of /1/,
// and `strip` when they see paths without their prefix. Prints its port when it listens.
import type { AddressInfo } from 'node:net'
import proxy from '@fastify/http-proxy'
import fastify from 'fastify'

const isStripped = process.argv.includes('strip')
const ports = process.argv.slice(2).filter((argument) => argument !== 'strip')
const app = fastify({ keepAliveTimeout: 600_000, bodyLimit: 1024 ** 3 })
for (const [index, port] of ports.entries()) {
  const prefix = `/${index + 1}`
  app.register(proxy, {
    upstream: `http://127.0.0.1:${port}`,
    prefix,
    rewritePrefix: isStripped ? '' : prefix,
    websocket: true,
    // undici's pool: as many connections to each owner as there may be clients, none of them closed while the measurement lasts.
    undici: { connections: 128, pipelining: 1, keepAliveTimeout: 600_000 },
  })
}
await app.listen({ port: 0, host: '127.0.0.1' })
console.log((app.server.address() as AddressInfo).port)
