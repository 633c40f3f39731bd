import { describe, expect, test } from 'vitest'
import { CachedSite } from '../../../support/cached-site.ts'
import { RawClient } from '../../../support/raw-client.ts'

// What one client says must not reach another: a response is given only to requests that say the same where it may count.

/** A site that answers with everything that apps make links of, or decide by. */
function telling(): Promise<CachedSite> {
  return CachedSite.open((request, response) => {
    response.cachePolicy = { ttl: 60 }
    response.end(JSON.stringify([request.method, request.url, request.headers]))
  })
}

const ATTACK = 'attack.example'

describe('a client can not make others see', () => {
  test.each([
    ['its Host', [`Host: 127.0.0.1`]],
    ['X-Forwarded-Host', [`X-Forwarded-Host: ${ATTACK}`]],
    ['X-Forwarded-Proto', ['X-Forwarded-Proto: attack']],
    ['X-Forwarded-Port', ['X-Forwarded-Port: attack']],
    ['X-Forwarded-Prefix', ['X-Forwarded-Prefix: /attack']],
    ['X-Forwarded-Scheme', ['X-Forwarded-Scheme: attack']],
    ['X-Forwarded-Server', [`X-Forwarded-Server: ${ATTACK}`]],
    ['Forwarded', [`Forwarded: host=${ATTACK}`]],
    ['X-Host', [`X-Host: ${ATTACK}`]],
    ['X-Original-URL', ['X-Original-URL: /attack']],
    ['X-Rewrite-URL', ['X-Rewrite-URL: /attack']],
    ['X-HTTP-Method-Override', ['X-HTTP-Method-Override: ATTACK']],
    ['X-Method-Override', ['X-Method-Override: ATTACK']],
    ['X-HTTP-Method', ['X-HTTP-Method: ATTACK']],
    ['fields in other case', ['x-FORWARDED-hOST: attack.example']],
    ['the second of two fields', ['X-Forwarded-Host: localhost', `X-Forwarded-Host: ${ATTACK}`]],
  ])('%s', async (_, fields) => {
    await using site = await telling()
    const poisoned = await site.ask('/2/page', fields)
    const clean = await site.ask('/2/page')
    expect(poisoned.body).not.toBe(clean.body)
    expect(clean.body).not.toMatch(/attack|127\.0\.0\.1/i)
    expect((await site.ask('/2/page')).body).toBe(clean.body)
  })

  test.each([
    ['another query', '/2/page?a=1'],
    ['an empty query', '/2/page?'],
    ['another order of the query', '/2/page?b=2&a=1'],
    ['another case', '/2/Page'],
    ['an escape', '/2/p%61ge'],
    ['a slash more', '/2/page/'],
    ['two slashes', '/2//page'],
    ['a dot segment', '/2/./page'],
    ['a parameter', '/2/page;a=1'],
  ])('the answer to %s', async (_, target) => {
    await using site = await telling()
    await site.ask(target)
    expect((await site.ask('/2/page')).body).toContain('"/2/page"')
  })

  test('the answer to an absolute target of another authority', async () => {
    await using site = await telling()
    using client = await RawClient.open(site.port)
    client.write(`GET http://localhost/2/page HTTP/1.1\r\nHost: ${ATTACK}\r\nConnection: close\r\n\r\n`)
    await client.untilEnd()
    expect((await site.ask('/2/page')).body).not.toContain(ATTACK)
  })

  test('an error that it provoked with a head that only just fits', async () => {
    await using site = await CachedSite.open((request, response) => {
      response.cachePolicy = { ttl: 60 }
      response.writeHead(String(request.headers['x-bomb'] ?? '').length > 4000 ? 431 : 200).end()
    })
    expect((await site.ask('/2/page', [`X-Bomb: ${'x'.repeat(8000)}`])).status).toBe(431)
    expect((await site.ask('/2/page')).status).toBe(200)
  })
})

test('a path that can be read in several ways is never stored', async () => {
  await using site = await telling()
  for (let times = 0; times < 2; times++) expect((await site.ask('/2/a%2fb')).status).toBe(200)
  expect(site.seen).toEqual(['/2/a%2fb', '/2/a%2fb'])
  expect(site.cache.stored).toBe(0)
})

test('queries without end share one bounded cache', async () => {
  await using site = await CachedSite.open(
    (_request, response) => {
      response.cachePolicy = { untilInvalidated: true }
      response.end('x'.repeat(1000))
    },
    { limits: { responseCacheBytes: 100_000 } },
  )
  for (let count = 0; count < 200; count++) await site.ask(`/2/?${count}`)
  expect(site.cache.bytes).toBeLessThanOrEqual(100_000)
  expect(site.cache).toMatchObject({ stored: 200, evicted: 200 - site.cache.responses })
})
