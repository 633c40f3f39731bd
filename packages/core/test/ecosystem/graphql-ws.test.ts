import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import { createClient } from 'graphql-ws'
import type { Client } from 'graphql-ws'
import { useServer } from 'graphql-ws/use/ws'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { startBroker } from '../support/broker-fixture.ts'
import type { BrokerFixture } from '../support/broker-fixture.ts'
import { closeServer, listenOn } from '../support/listening.ts'

// The copy that graphql-ws finds: a plain import would be resolved by Vite, to another one.
const { buildSchema } = createRequire(import.meta.url)('graphql') as typeof import('graphql')

const schema = buildSchema(`
  type Query { hello: String }
  type Subscription { countdown(from: Int!): Int, endless: Int }
`)

let fixture: BrokerFixture
let server: Server
let graphql: { dispose: () => void | Promise<void> }
let client: Client
let onEndlessLeft: () => void

async function* countdown({ from }: { from: number }): AsyncGenerator<{ countdown: number }> {
  for (let count = from; count > 0; count--) {
    await new Promise((resolve) => setImmediate(resolve))
    yield { countdown: count }
  }
}

async function* endless(): AsyncGenerator<{ endless: number }> {
  try {
    for (let count = 0; ; count++) {
      await new Promise((resolve) => setImmediate(resolve))
      yield { endless: count }
    }
  } finally {
    onEndlessLeft()
  }
}

beforeAll(async () => {
  fixture = await startBroker()
  server = createServer()
  const sockets = new WebSocketServer({ server, path: '/g/graphql' })
  graphql = useServer({ schema, roots: { query: { hello: 'world' }, subscription: { countdown, endless } } }, sockets)
  const port = await listenOn(server, '/g/')
  client = createClient({ url: `ws://localhost:${port}/g/graphql`, webSocketImpl: WebSocket, retryAttempts: 0 })
})
afterAll(async () => {
  await client.dispose()
  await graphql.dispose()
  await closeServer(server)
  expect(fixture.violations).toEqual([])
  await fixture.close()
})

async function results(query: string): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const result of client.iterate({ query })) all.push(result)
  return all
}

test('a subscription streams its values and completes', async () => {
  expect(await results('subscription { countdown(from: 3) }')).toEqual([
    { data: { countdown: 3 } },
    { data: { countdown: 2 } },
    { data: { countdown: 1 } },
  ])
})

test('a client that stops listening ends the subscription at the server', async () => {
  const left = new Promise<void>((resolve) => (onEndlessLeft = resolve))
  for await (const { data } of client.iterate<{ endless: number }>({ query: 'subscription { endless }' })) {
    if (data!.endless === 5) break
  }
  await left
})

test('queries and errors pass over the same socket', async () => {
  expect(await results('{ hello }')).toEqual([{ data: { hello: 'world' } }])
  await expect(results('{ nothing }')).rejects.toMatchObject([
    { message: 'Cannot query field "nothing" on type "Query".' },
  ])
})
