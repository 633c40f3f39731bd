import type { RequestListener, ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import httpsys from '../../../../src/index.ts'
import { CachedSite, requestOf } from '../../../support/cached-site.ts'
import type { WireResponse } from '../../../support/cached-site.ts'
import { RawClient } from '../../../support/raw-client.ts'

// Many requests for one URL that is not in the cache: one goes to the app, the others wait for what it brings.

/** Responses that an app has not ended yet. */
class Held {
  readonly responses: ServerResponse[] = []

  get listener(): RequestListener {
    return (_request, response) => void this.responses.push(response)
  }

  /** Resolves when so many requests have reached the app and await an answer. */
  async reached(count: number): Promise<void> {
    await expect.poll(() => this.responses.length).toBe(count)
  }

  /** Answers the first of them. */
  answer(use: (response: ServerResponse) => void): void {
    use(this.responses.shift()!)
  }
}

const cached = (response: ServerResponse): void => {
  response.cachePolicy = { ttl: 60 }
  response.end('cached')
}

/** Sends so many requests, of which one reaches the app and the others wait. */
async function crowd(site: CachedSite, held: Held, count: number): Promise<Promise<WireResponse>[]> {
  // Something has been cached before, so that the app is known to want a cache.
  const first = site.ask('/2/first')
  await held.reached(1)
  held.answer(cached)
  await first
  const requests = Array.from({ length: count }, () => site.ask('/2/page'))
  await expect.poll(() => site.cache.waits).toBe(count - 1)
  await held.reached(1)
  return requests
}

describe('of requests for the same', () => {
  test('one wakes the app, and all get its response', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener)
    const requests = await crowd(site, held, 50)
    held.answer(cached)
    for (const response of await Promise.all(requests)) expect(response.body).toBe('cached')
    expect(site.seen).toEqual(['/2/first', '/2/page'])
    expect(site.cache).toMatchObject({ waits: 49, hits: 49, misses: 1 })
  })

  test('all the others go to the app at once when the response is for one alone', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener)
    const requests = await crowd(site, held, 20)
    held.answer((response) => response.end('mine'))
    await held.reached(19)
    // Nobody waits again for a while.
    requests.push(site.ask('/2/page'), site.ask('/2/page'))
    await held.reached(21)
    while (held.responses.length > 0) held.answer((response) => response.end('mine'))
    for (const response of await Promise.all(requests)) expect(response.body).toBe('mine')
    expect(site.cache.waits).toBe(19)
  })

  test.each([503, 500])('all the others go to the app at once when it answers %d', async (status) => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener)
    const requests = await crowd(site, held, 10)
    held.answer((response) => {
      response.cachePolicy = { ttl: 60 }
      response.writeHead(status).end()
    })
    await held.reached(9)
    while (held.responses.length > 0) held.answer(cached)
    const statuses = (await Promise.all(requests)).map((response) => response.status)
    expect(statuses.filter((one) => one === 200)).toHaveLength(9)
    expect((await site.ask('/2/page')).body).toBe('cached')
    expect(site.seen).toHaveLength(11)
  })

  test('all the others go to the app at once when the first gets a 304 of its own', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener)
    const first = site.ask('/2/first')
    await held.reached(1)
    held.answer(cached)
    await first
    const conditional = site.ask('/2/page', ['If-None-Match: "a"'])
    await held.reached(1)
    const others = Array.from({ length: 5 }, () => site.ask('/2/page'))
    await expect.poll(() => site.cache.waits).toBe(5)
    held.answer((response) => response.writeHead(304).end())
    await held.reached(5)
    while (held.responses.length > 0) held.answer(cached)
    expect((await conditional).status).toBe(304)
    for (const response of await Promise.all(others)) expect(response.body).toBe('cached')
  })

  test('another takes the place of one whose client has gone', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener)
    const first = site.ask('/2/first')
    await held.reached(1)
    held.answer(cached)
    await first
    const leaver = await RawClient.open(site.port)
    leaver.write(requestOf('/2/page'))
    await held.reached(1)
    const others = Array.from({ length: 5 }, () => site.ask('/2/page'))
    await expect.poll(() => site.cache.waits).toBe(5)
    leaver.socket.resetAndDestroy()
    await held.reached(2)
    held.responses.shift()
    held.answer(cached)
    for (const response of await Promise.all(others)) expect(response.body).toBe('cached')
    expect(site.seen).toHaveLength(3)
  })

  test('one more goes to the app after a flush, and the others wait for that', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener)
    const requests = await crowd(site, held, 10)
    await httpsys.flushResponseCache(`http://localhost:${site.port}/2/`)
    await held.reached(2)
    held.answer((response) => {
      response.cachePolicy = { ttl: 60 }
      response.end('before')
    })
    held.answer(cached)
    const bodies = (await Promise.all(requests)).map(({ body }) => body)
    expect(bodies.toSorted()).toEqual(['before', ...Array.from({ length: 9 }, () => 'cached')])
    expect(site.seen).toHaveLength(3)
    expect((await site.ask('/2/page')).body).toBe('cached')
  })

  test('one that has waited its time goes to the app, and later ones do not wait at all', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener, { limits: { responseCacheWait: 1000 } })
    const [...requests] = await crowd(site, held, 2)
    await expect.poll(() => held.responses.length, { timeout: 5000 }).toBe(2)
    requests.push(site.ask('/2/page'))
    await held.reached(3)
    while (held.responses.length > 0) held.answer(cached)
    for (const response of await Promise.all(requests)) expect(response.body).toBe('cached')
    expect(site.cache.waits).toBe(1)
  })

  test('none waits with HTTPSYS_RESPONSE_CACHE_WAIT=0', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener, { limits: { responseCacheWait: 0 }, responseCache: true })
    const requests = [site.ask('/2/page'), site.ask('/2/page')]
    await held.reached(2)
    while (held.responses.length > 0) held.answer(cached)
    await Promise.all(requests)
  })

  test('no more wait than the queue may hold', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener, { queueLength: 3 })
    const requests = await crowd(site, held, 4)
    requests.push(site.ask('/2/page'), site.ask('/2/page'))
    await held.reached(3)
    while (held.responses.length > 0) held.answer(cached)
    for (const response of await Promise.all(requests)) expect(response.status).toBe(200)
    expect(site.cache.waits).toBe(3)
  })

  test('those that vary do not wait for each other', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener)
    const vary = (response: ServerResponse): void => {
      response.cachePolicy = { ttl: 60 }
      response.setHeader('Vary', 'X-Kind')
      response.end(String(response.req.headers['x-kind']))
    }
    const first = site.ask('/2/page', ['X-Kind: 0'])
    await held.reached(1)
    held.answer(vary)
    await first
    const kinds = ['1', '2', '1', '2']
    const requests = kinds.map((kind) => site.ask('/2/page', [`X-Kind: ${kind}`]))
    await held.reached(2)
    await expect.poll(() => site.cache.waits).toBe(2)
    held.answer(vary)
    held.answer(vary)
    expect((await Promise.all(requests)).map(({ body }) => body)).toEqual(kinds)
  })

  test('those with credentials do not wait, nor does anyone wait for them', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener)
    const requests = await crowd(site, held, 2)
    requests.push(site.ask('/2/page', ['Authorization: Basic YTpi']))
    await held.reached(2)
    held.responses.pop()!.end('secret')
    held.answer(cached)
    expect((await Promise.all(requests)).map(({ body }) => body)).toEqual(['cached', 'cached', 'secret'])
  })

  test('one that waits gets its answer from the cache even when its client has ended its side', async () => {
    const held = new Held()
    await using site = await CachedSite.open(held.listener)
    void (await crowd(site, held, 2))
    using client = await RawClient.open(site.port)
    client.socket.end(requestOf('/2/page'))
    await expect.poll(() => site.cache.waits).toBe(2)
    held.answer(cached)
    expect(await client.untilEnd()).toMatch(/cached$/)
  })
})

test('a client that reads slowly does not keep those waiting who want the same', async () => {
  const body = 'x'.repeat(262_144)
  const held = new Held()
  await using site = await CachedSite.open(held.listener)
  const first = site.ask('/2/first')
  await held.reached(1)
  held.answer(cached)
  await first
  using slow = await RawClient.open(site.port)
  slow.socket.pause()
  slow.write(requestOf('/2/page'))
  await held.reached(1)
  const other = site.ask('/2/page')
  await expect.poll(() => site.cache.waits).toBe(1)
  held.answer((response) => {
    response.cachePolicy = { ttl: 60 }
    response.end(body)
  })
  expect((await other).body === body).toBe(true)
  expect(site.seen).toHaveLength(2)
})
