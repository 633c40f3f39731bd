import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { RequestOptions } from 'node:https'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startBroker } from '../../../support/broker-fixture.ts'
import { closeServer, listenSecurely } from '../../../support/listening.ts'
import { numbered } from '../../../support/cached-site.ts'
import { Pki, certifyEverywhere } from '../../../support/pki.ts'

async function ask(port: number, options: RequestOptions): Promise<string> {
  const outgoing = request({ host: 'localhost', port, path: '/2/', agent: false, ...options })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return text
}

test('responses are cached over TLS, but neither stored of nor given to clients that show who they are', async () => {
  await using fixture = await startBroker()
  const { directory } = fixture
  const [clients, strangers] = [new Pki('clients'), new Pki('strangers')]
  writeFileSync(join(directory, 'clients.crt'), clients.cert)
  const { cert: ca } = certifyEverywhere(directory, {
    clientcertnegotiation: 'allow',
    ca: join(directory, 'clients.crt'),
  })
  const server = createServer(numbered())
  const port = await listenSecurely(server, '/2/')
  const known = clients.client('alice')
  const unknown = strangers.client('mallory')
  expect(await ask(port, { ca, ...known })).toBe('answer 1')
  expect(await ask(port, { ca, ...unknown })).toBe('answer 2')
  for (let times = 0; times < 2; times++) expect(await ask(port, { ca })).toBe('answer 3')
  expect(await ask(port, { ca, ...known })).toBe('answer 4')
  expect(await ask(port, { ca, ...unknown })).toBe('answer 5')
  expect(await ask(port, { ca })).toBe('answer 3')
  await closeServer(server)
})
