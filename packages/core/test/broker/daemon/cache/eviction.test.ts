import { describe, expect, test } from 'vitest'
import { CachedSite } from '../../../support/cached-site.ts'

// The cache has a size, and nothing that clients or apps do exceeds it.

/** Answers with 10,000 bytes, of which about nine fit. */
function small(): Promise<CachedSite> {
  return CachedSite.open(
    (_request, response) => {
      response.cachePolicy = { untilInvalidated: true }
      response.end('x'.repeat(10_000))
    },
    { limits: { responseCacheBytes: 100_000 } },
  )
}

describe('when the bytes are used up', () => {
  test('the response goes that has not been used for longest', async () => {
    await using site = await small()
    for (let page = 1; page <= 8; page++) await site.ask(`/2/${page}`)
    expect(site.cache).toMatchObject({ responses: 8, evicted: 0 })
    await site.ask('/2/1')
    await site.ask('/2/9')
    await site.ask('/2/10')
    expect(site.cache.bytes).toBeLessThanOrEqual(100_000)
    expect(site.cache).toMatchObject({ stored: 10, evicted: 10 - site.cache.responses })
    site.seen.length = 0
    await site.ask('/2/1')
    expect(site.seen).toEqual([])
    await site.ask('/2/2')
    expect(site.seen).toEqual(['/2/2'])
  })

  test('what is larger than all of them together is not kept, and nothing goes for it', async () => {
    await using site = await CachedSite.open(
      (request, response) => {
        response.cachePolicy = { ttl: 60 }
        response.end('x'.repeat(request.url === '/2/large' ? 20_000 : 10))
      },
      { limits: { responseCacheBytes: 10_000 } },
    )
    await site.ask('/2/small')
    await site.ask('/2/large')
    await site.ask('/2/large')
    expect(site.cache).toMatchObject({ responses: 1, stored: 1, evicted: 0 })
    expect(site.seen).toHaveLength(3)
  })

  test('those of all prefixes are in one account', async () => {
    await using site = await small()
    await site.serve('/3/', (_request, response) => {
      response.cachePolicy = { ttl: 60 }
      response.end('y'.repeat(10_000))
    })
    await site.ask('/2/a')
    for (let page = 1; page <= 9; page++) await site.ask(`/3/${page}`)
    site.seen.length = 0
    await site.ask('/2/a')
    expect(site.seen).toEqual(['/2/a'])
  })

  test('heads and keys count', async () => {
    await using site = await CachedSite.open(
      (_request, response) => {
        response.cachePolicy = { ttl: 60 }
        for (let index = 0; index < 4; index++) response.setHeader(`X-${index}`, 'x'.repeat(3000))
        response.end()
      },
      { limits: { responseCacheBytes: 60_000 } },
    )
    await site.ask('/2/a')
    expect(site.cache.bytes).toBeGreaterThan(24_000)
    await site.ask(`/2/?${'q'.repeat(12_000)}`)
    expect(site.cache).toMatchObject({ responses: 1, evicted: 1 })
    expect(site.cache.bytes).toBeGreaterThan(48_000)
  })

  test('an expired response does not answer, and its bytes come back', async () => {
    await using site = await CachedSite.open((request, response) => {
      response.cachePolicy = { ttl: 1 }
      if (site.seen.length > 1) response.cachePolicy = undefined
      response.end(request.url)
    })
    await site.ask('/2/')
    await expect.poll(async () => (await site.ask('/2/')).headers['age'], { timeout: 5000 }).toBeUndefined()
    expect(site.cache).toMatchObject({ responses: 0, bytes: 0 })
  })
})

test('recording stops at the size of the cache, however many responses come in', async () => {
  await using site = await CachedSite.open(
    (_request, response) => {
      response.cachePolicy = { ttl: 60 }
      response.end('x'.repeat(200_000))
    },
    { limits: { responseCacheBytes: 500_000 } },
  )
  await site.ask('/2/first')
  const answers = await Promise.all(Array.from({ length: 30 }, (_, page) => site.ask(`/2/${page}`)))
  for (const { body } of answers) expect(body.length).toBe(200_000)
  expect(site.cache.bytes).toBeLessThanOrEqual(500_000)
  for (let times = 0; times < 2; times++) await site.ask('/2/last')
  expect(site.seen.filter((target) => target === '/2/last')).toHaveLength(1)
})
