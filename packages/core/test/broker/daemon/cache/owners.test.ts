import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startBroker } from '../../../support/broker-fixture.ts'
import { CachedSite, numbered } from '../../../support/cached-site.ts'
import { closeServer } from '../../../support/listening.ts'
import { RawClient } from '../../../support/raw-client.ts'
import { RawOwner } from '../../../support/raw-owner.ts'

// Stored responses belong to the process that made them, and to the prefix under which it did.

const GET = 'GET /2/x HTTP/1.1\r\nHost: localhost\r\n\r\n'

/** An owner that is as good as a process of its own. */
async function ownerOf(directory: string, port = 0): Promise<{ owner: RawOwner; port: number }> {
  const owner = await RawOwner.open(join(directory, 'private.sock'))
  const claimed = await owner.claim(`http://localhost:${port}/2/`)
  if (claimed === 'revoked') throw new Error('the claim was revoked')
  return { owner, port: claimed.port }
}

describe('responses go', () => {
  test('with the process that made them, however it ends', async () => {
    await using fixture = await startBroker()
    const { owner, port } = await ownerOf(fixture.directory)
    using client = await RawClient.open(port)
    client.write(GET)
    owner.respondForAll((await owner.request()).id, '<first>', 60)
    await client.until('<first>')
    client.write(GET)
    await client.until('<first>', 2)
    owner.die()
    // Waits for the next owner, and gets nothing of the last one.
    await expect.poll(() => fixture.broker.status().queues[0]?.state).toBe('orphaned')
    client.write(GET)
    const { owner: heir } = await ownerOf(fixture.directory, port)
    heir.respond((await heir.request()).id, '<second>')
    await client.until('<second>')
    expect(fixture.broker.status().cache).toMatchObject({ responses: 0, bytes: 0, hits: 1, flushed: 1 })
    heir.die()
  })

  test('before they are kept, when their owner has lost the prefix meanwhile', async () => {
    await using site = await CachedSite.open((_request, response) => {
      response.cachePolicy = { ttl: 60 }
      void site
        .serve('/2/', (_other, answer) => answer.end('new'), { mode: 'takeover' })
        .then(() => response.end('old'))
    })
    expect((await site.ask('/2/a')).body).toBe('old')
    expect((await site.ask('/2/a')).body).toBe('new')
    expect(site.cache.stored).toBe(0)
  })

  test('with the prefix', async () => {
    await using site = await CachedSite.open(numbered())
    const other = await site.serve('/3/', numbered())
    await site.ask('/3/a')
    await closeServer(other)
    expect(await site.ask('/3/a')).toMatchObject({ status: 404 })
    expect(site.cache).toMatchObject({ responses: 0, bytes: 0, flushed: 1 })
  })

  test('when another process takes the prefix over', async () => {
    await using site = await CachedSite.open(numbered())
    expect((await site.ask('/2/a')).body).toBe('answer 1')
    await site.serve('/2/', (_request, response) => response.end('new'), { mode: 'takeover' })
    expect((await site.ask('/2/a')).body).toBe('new')
    expect(site.cache.responses).toBe(0)
  })

  test('when another process claims a longer prefix', async () => {
    await using site = await CachedSite.open(numbered())
    await site.ask('/2/3/a')
    expect((await site.ask('/2/3/a')).body).toBe('answer 1')
    const longer = await site.serve('/2/3/', (_request, response) => response.end('longer'))
    expect((await site.ask('/2/3/a')).body).toBe('longer')
    await closeServer(longer)
    expect((await site.ask('/2/3/a')).body).toBe('answer 1')
  })

  test('with their process of several that share the queue, and the others’ stay', async () => {
    await using site = await CachedSite.open(numbered(), { mode: 'attach' })
    const second = await site.serve('/2/', numbered(['X-Second', 'yes']), { mode: 'attach' })
    const answers = new Map<string, boolean>()
    for (const name of ['a', 'b', 'c', 'd']) {
      const { headers } = await site.ask(`/2/${name}`)
      answers.set(name, headers['x-second'] === 'yes')
    }
    expect([...answers.values()].filter(Boolean)).toHaveLength(2)
    await closeServer(second)
    site.seen.length = 0
    for (const name of answers.keys()) expect((await site.ask(`/2/${name}`)).headers['x-second']).toBeUndefined()
    expect(site.seen).toEqual([...answers].filter(([, isSecond]) => isSecond).map(([name]) => `/2/${name}`))
  })
})

describe('an owner that does not keep to the rules', () => {
  test.each([
    ['announces less than it sends', '<too long>', 3, ''],
    ['names a cookie', '<cookie>', 8, 'Set-Cookie: a=b\r\n'],
    ['says that it is private', '<private>', 9, 'Cache-Control: private\r\n'],
  ])('and %s has nothing stored', async (_, body, length, fields) => {
    await using fixture = await startBroker()
    const { owner, port } = await ownerOf(fixture.directory)
    for (let times = 0; times < 2; times++) {
      using client = await RawClient.open(port)
      client.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'))
      owner.respondForAll((await owner.request()).id, body, 60, fields, length)
      await client.untilEnd()
    }
    expect(fixture.broker.status().cache).toMatchObject({ responses: 0, stored: 0 })
    owner.die()
  })

  test('and announces more than it sends has nothing stored and nobody kept waiting', async () => {
    await using fixture = await startBroker()
    const { owner, port } = await ownerOf(fixture.directory)
    using first = await RawClient.open(port)
    first.write(GET)
    owner.respondForAll((await owner.request()).id, '<good>', 1, 'Vary: *\r\n')
    await first.until('<good>')
    first.write(GET)
    owner.respondForAll((await owner.request()).id, '<short>', 60, '', 100)
    await first.untilEnd()
    using second = await RawClient.open(port)
    second.write(GET)
    owner.respond((await owner.request()).id, '<whole>')
    await second.until('<whole>')
    expect(fixture.broker.status().cache).toMatchObject({ responses: 0, stored: 0 })
    owner.die()
  })
})
