import { createServer } from 'node:http'
import autocannon from 'autocannon'
import { expect, test } from 'vitest'
import { startBroker } from '../support/broker-fixture.ts'
import { closeServer, listenOn } from '../support/listening.ts'

test.each([
  ['one request at a time on each connection', 1, 4000],
  // It leaves when the last request is sent, also from node:http, and then waits for one answer only.
  ['ten pipelined requests on each connection', 10, 3910],
])('autocannon sees neither errors nor wrong answers, with %s', async (_how, pipelining, answers) => {
  await using fixture = await startBroker()
  const servers = ['/1/', '/2/'].map((path) => ({ path, server: createServer((req, res) => res.end(req.url)) }))
  let port = 0
  for (const { path, server } of servers) port = await listenOn(server, path, port)
  // Every connection goes to both prefixes in turn.
  const result = await autocannon({
    url: `http://localhost:${port}`,
    connections: 10,
    pipelining,
    amount: 4000,
    requests: servers.map(({ path }) => ({ path: `${path}x` })),
  })
  expect(result).toMatchObject({ errors: 0, timeouts: 0, mismatches: 0, non2xx: 0 })
  expect(result['2xx']).toBeGreaterThanOrEqual(answers)
  for (const { server } of servers) await closeServer(server)
  expect(fixture.violations).toEqual([])
})
