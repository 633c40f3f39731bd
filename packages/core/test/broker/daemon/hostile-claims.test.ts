import { openSync, readdirSync, closeSync, chmodSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { BoundPort } from '../../../src/broker/client/bound-port.ts'
import { descriptorOf } from '../../../src/broker/client/descriptor-of.ts'
import { encodeText } from '../../../src/broker/protocol/frame-writer.ts'
import { FRAME_HAND_OVER } from '../../../src/broker/protocol/frames.ts'
import { sendDescriptors } from '../../../src/sockets/descriptor-passing.ts'
import { libc } from '../../../src/sockets/libc.ts'
import { startBroker } from '../../support/broker-fixture.ts'
import type { BrokerFixture } from '../../support/broker-fixture.ts'
import { RawClient } from '../../support/raw-client.ts'
import { PRIVATE, RawOwner } from '../../support/raw-owner.ts'

const USER = 12_345
/** Only root can become somebody else. */
const isRoot = process.getuid?.() === 0

function own(fixture: BrokerFixture): Promise<RawOwner> {
  return RawOwner.open(join(fixture.directory, 'private.sock'))
}

/** Sends descriptors as owners do; resolves to the name for the claim. */
async function handOver(fixture: BrokerFixture, descriptors: readonly number[], name: string): Promise<string> {
  const socket = connect(join(fixture.directory, 'private.sock'))
  socket.write(encodeText(FRAME_HAND_OVER, 0, name))
  await once(socket, 'data')
  sendDescriptors(libc()!, descriptorOf(socket), descriptors)
  socket.destroy()
  return name
}

async function as<T>(uid: number, action: () => Promise<T>): Promise<T> {
  process.seteuid!(uid)
  // What connects has done so before it waits.
  const result = action()
  process.seteuid!(0)
  return result
}

describe('a claim of a whole port', () => {
  test('is refused where others have prefixes, and gets none of their requests', async () => {
    await using fixture = await startBroker()
    using honest = await own(fixture)
    using hostile = await own(fixture)
    const { port } = (await honest.claim('http://localhost:0/1/')) as { port: number }
    for (const host of ['localhost', '*', '127.0.0.1']) {
      await expect(
        hostile.claim(`http://${host}:${port}/`, { privatePort: PRIVATE, mode: 'takeover' }),
      ).rejects.toMatchObject({ code: 'EADDRINUSE' })
    }
    using client = await RawClient.open(port)
    client.write('GET /1/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
    honest.respond((await honest.request()).id, 'mine')
    await client.until('mine')
  })

  test('is refused while requests wait for the next owner of a prefix', async () => {
    await using fixture = await startBroker()
    const honest = await own(fixture)
    using hostile = await own(fixture)
    const { port } = (await honest.claim('http://localhost:0/1/')) as { port: number }
    honest[Symbol.dispose]()
    await expect.poll(() => fixture.broker.status().queues[0]?.state).toBe('orphaned')
    await expect(hostile.claim(`http://localhost:${port}/`, { privatePort: PRIVATE })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })

  test('is one of the root: a reservation of a path is none of the port', async () => {
    await using fixture = await startBroker()
    using hostile = await own(fixture)
    await expect(hostile.claim('http://localhost:0/1/', { privatePort: PRIVATE })).rejects.toMatchObject({
      code: 'EINVAL',
    })
    expect(await hostile.claim('http://localhost:0/', { privatePort: PRIVATE })).toMatchObject({ id: 1 })
  })
})

describe.skipIf(process.platform !== 'linux')('sockets that are handed over', () => {
  test('are closed when they are none, or can not be used', async () => {
    await using fixture = await startBroker()
    using hostile = await own(fixture)
    const file = openSync('/dev/null', 'r')
    const bound = BoundPort.open(UrlPrefix.parse('http://127.0.0.1:0/'))!
    const before = readdirSync('/proc/self/fd').length
    for (let round = 0; round < 5; round++) {
      const sets = [
        [file, file, file],
        [bound.descriptors[0]!, file],
        [bound.descriptors[0]!, bound.descriptors[0]!],
      ]
      for (const [index, descriptors] of sets.entries()) {
        const name = await handOver(fixture, descriptors, `${round} ${index}`)
        await expect(hostile.claim(`http://127.0.0.1:${bound.prefix.port}/`, { handOver: name })).rejects.toMatchObject(
          { code: expect.any(String) as string },
        )
      }
    }
    await expect.poll(() => readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before)
    closeSync(file)
    bound.release()
  })

  test.skipIf(!isRoot)(
    'by another user are for the prefixes of that user, who may still accept from them',
    async () => {
      await using fixture = await startBroker({ authorize: () => {} })
      chmodSync(fixture.directory, 0o755)
      chmodSync(join(fixture.directory, 'private.sock'), 0o666)
      using root = await own(fixture)
      using stranger = await as(USER, () => own(fixture))
      const bound = BoundPort.open(UrlPrefix.parse('http://127.0.0.1:0/'))!
      const { port } = bound.prefix
      const name = await handOver(fixture, bound.descriptors, 'one')
      expect(await stranger.claim(`http://127.0.0.1:${port}/2/`, { handOver: name })).toMatchObject({ port })
      await expect(root.claim(`http://127.0.0.1:${port}/1/`)).rejects.toMatchObject({
        code: 'EADDRINUSE',
        reason: `port ${port} was opened by user ${USER}`,
      })
      expect(await stranger.claim(`http://127.0.0.1:${port}/3/`)).toMatchObject({ port })
      bound.release()
      // Of a port that the broker has opened a stranger adds no socket.
      const { port: open } = (await root.claim('http://127.0.0.1:0/')) as { port: number }
      const second = BoundPort.open(UrlPrefix.parse(`http://127.0.0.2:${open}/`))!
      const other = await handOver(fixture, second.descriptors, 'two')
      await expect(stranger.claim(`http://127.0.0.2:${open}/4/`, { handOver: other })).rejects.toMatchObject({
        code: 'EADDRINUSE',
        reason: `port ${open} is open`,
      })
      second.release()
    },
  )
})
