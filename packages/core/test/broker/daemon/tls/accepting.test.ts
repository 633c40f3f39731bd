import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { openEngine } from '../../../../src/broker/engine/open-engine.ts'
import { RESCUE_MS, listeningDescriptors, timeWhileBlocking } from '../../../support/blocking-listener.ts'
import { startBroker } from '../../../support/broker-fixture.ts'
import { closeServer, listenSecurely } from '../../../support/listening.ts'
import { certifyEverywhere } from '../../../support/pki.ts'

const { engine } = openEngine(process.env['HTTPSYS_ENGINE'])

// On node:net libuv accepts, by a call.
test.skipIf(engine.name === 'net')(
  'clients of TLS are waited for in no call, also when the socket blocks',
  async () => {
    await using fixture = await startBroker()
    const { cert: ca } = certifyEverywhere(fixture.directory)
    const server = createServer()
    const port = await listenSecurely(server, '/2/')
    const descriptors = listeningDescriptors(port)
    expect(descriptors).toHaveLength(1)
    const time = await timeWhileBlocking(descriptors[0]!, port, async () => {
      for (let count = 0; count < 3; count++) {
        const client = connect({ port, host: '127.0.0.1', servername: 'localhost', ca })
        // oxlint-disable-next-line no-await-in-loop
        await once(client, 'secureConnect')
        client.destroy()
      }
    })
    expect(time).toBeLessThan(RESCUE_MS - 500)
    await closeServer(server)
  },
)
