import type { AddressInfo } from 'node:net'
import { prefix } from '@httpsys/fastify'
import fastify from 'fastify'
import type { ListenApp } from './app.ts'
import { HELLO } from './hello.ts'

/** Fastify's hello world with Fastify's own settings. */
export const listen: ListenApp = async (place) => {
  const app = fastify()
  app.get(`${place.mount}/`, (_request, reply) => reply.send(HELLO))
  app.get(`${place.mount}/owner`, (_request, reply) => reply.header('X-Owner', place.owner).send(HELLO))
  await app.listen(place.isShared ? prefix(`/${place.owner}/`) : { port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}
