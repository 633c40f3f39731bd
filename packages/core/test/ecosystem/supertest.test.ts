import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { json } from 'node:stream/consumers'
import supertest from 'supertest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import httpsys from '../../src/index.ts'
import { startBroker } from '../support/broker-fixture.ts'
import type { BrokerFixture } from '../support/broker-fixture.ts'
import { closeServer, listenOn } from '../support/listening.ts'

let fixture: BrokerFixture
let server: Server

function createApp(): Server {
  return createServer((req, res) => {
    switch (`${req.method} ${req.url}`) {
      case 'HEAD /t/hello':
      case 'GET /t/hello':
        return res.setHeader('Content-Type', 'text/plain').end(`hello ${req.headers.cookie ?? 'stranger'}`)
      case 'POST /t/echo':
        return void json(req).then((value) =>
          res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ value })),
        )
      case 'GET /t/login':
        return res.writeHead(302, { Location: 'hello', 'Set-Cookie': 'user=ada; Path=/t/' }).end()
      default:
        return res.writeHead(404).end()
    }
  })
}

beforeAll(async () => {
  fixture = await startBroker()
  server = createApp()
  await listenOn(server, '/t/')
})
afterAll(async () => {
  await closeServer(server)
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

test('a server that listens on a prefix is asked there, and is still listening afterwards', async () => {
  await supertest(server).get('/t/hello').expect(200, 'hello stranger').expect('Content-Type', 'text/plain')
  await supertest(server)
    .post('/t/echo')
    .send({ a: [1, 'ü'] })
    .expect(200, { value: { a: [1, 'ü'] } })
  await supertest(server).get('/t/missing').expect(404)
  await supertest(server).head('/t/hello').expect(200)
  expect(server.listening).toBe(true)
})

test('what the prefix does not cover is not the server’s', async () => {
  await supertest(server).get('/hello').expect(404)
})

test('redirects are followed', async () => {
  await supertest(server).get('/t/login').expect(302).expect('Location', 'hello')
  await supertest(server).get('/t/login').redirects(1).expect(200, 'hello stranger')
})

test('an agent keeps cookies', async () => {
  const agent = supertest.agent(server)
  await agent.get('/t/login').expect(302)
  await agent.get('/t/hello').expect(200, 'hello user=ada')
})

test('a server that does not listen is started on TCP beside it, and closed again', async () => {
  const tcp = createApp()
  const [{ body }] = await Promise.all([
    supertest(tcp).post('/t/echo').send({ over: 'tcp' }).expect(200),
    supertest(server).get('/t/hello').expect(200),
  ])
  expect(body).toEqual({ value: { over: 'tcp' } })
  expect(tcp.listening).toBe(false)
})

test('a server is found in the tick of its listen', async () => {
  const fresh = createApp()
  fresh.listen(httpsys.prefix('http://localhost:0/t/'))
  await supertest(fresh).get('/t/hello').expect(200, 'hello stranger')
  await closeServer(fresh)
})
