import { describe, expect, test } from 'vitest'
import { CachedSite } from '../../../support/cached-site.ts'

// Responses that depend on more than the URL.

/** A site that answers with what it was told in some fields and says that it depends on them. */
function varying(...names: string[]): Promise<CachedSite> {
  return CachedSite.open((request, response) => {
    response.cachePolicy = { ttl: 60 }
    response.setHeader('Vary', names.join(', '))
    response.end(names.map((name) => String(request.headers[name.toLowerCase()])).join('|'))
  })
}

describe('Vary', () => {
  test('tells responses apart by the fields it names', async () => {
    await using site = await varying('Accept-Language', 'X-Kind')
    for (let times = 0; times < 2; times++) {
      expect((await site.ask('/2/', ['Accept-Language: de'])).body).toBe('de|undefined')
      expect((await site.ask('/2/', ['accept-language: en', 'X-Kind: 1'])).body).toBe('en|1')
      expect((await site.ask('/2/', ['X-KIND: 1', 'Accept-Language: en', 'Other: 2'])).body).toBe('en|1')
      expect((await site.ask('/2/')).body).toBe('undefined|undefined')
    }
    expect(site.seen).toHaveLength(3)
  })

  test('tells an empty field from none, and two fields from one', async () => {
    await using site = await varying('X-Kind')
    expect((await site.ask('/2/')).body).toBe('undefined')
    expect((await site.ask('/2/', ['X-Kind:'])).body).toBe('')
    expect((await site.ask('/2/', ['X-Kind: a', 'X-Kind: b'])).body).toBe('a, b')
    expect((await site.ask('/2/', ['X-Kind: a'])).body).toBe('a')
    expect((await site.ask('/2/', ['X-Kind: a, b'])).body).toBe('a, b')
    expect(site.seen).toHaveLength(4)
  })

  test('takes values for what they are, whatever characters they have', async () => {
    await using site = await varying('X-One', 'X-Two')
    expect((await site.ask('/2/', ['X-One: a', 'X-Two: b'])).body).toBe('a|b')
    expect((await site.ask('/2/', ['X-One: a|b'])).body).toBe('a|b|undefined')
    expect((await site.ask('/2/', ['X-One: a\tb', 'X-Two:'])).body).toBe('a\tb|')
    expect((await site.ask('/2/', ['X-One: a', 'X-Two: \xff'])).body).not.toBe('a|b')
    expect(site.seen).toHaveLength(4)
  })

  test('that comes later makes earlier responses worthless', async () => {
    let count = 0
    await using site = await CachedSite.open((request, response) => {
      response.cachePolicy = { ttl: 60 }
      if (request.headers['x-kind'] !== undefined) response.setHeader('Vary', 'X-Kind')
      response.end(`${String(request.headers['x-kind'])} ${++count}`)
    })
    expect((await site.ask('/2/')).body).toBe('undefined 1')
    // The one in the cache is for everyone, as far as is known.
    expect((await site.ask('/2/', ['X-Kind: a'])).body).toBe('undefined 1')
    expect((await site.ask('/2/', ['X-Kind: a', 'Authorization: x'])).body).toBe('a 2')
    expect((await site.ask('/2/', ['X-Kind: a'])).body).toBe('undefined 1')
  })

  test('of coded bodies means Accept-Encoding, said or not', async () => {
    await using site = await CachedSite.open((request, response) => {
      response.cachePolicy = { ttl: 60 }
      const isCoded = request.headers['accept-encoding'] === 'x-case'
      if (isCoded) response.setHeader('Content-Encoding', 'x-case')
      response.end(isCoded ? 'CODED' : 'plain')
    })
    expect((await site.ask('/2/', ['Accept-Encoding: x-case'])).body).toBe('CODED')
    expect((await site.ask('/2/')).body).toBe('plain')
    expect((await site.ask('/2/', ['Accept-Encoding: x-case'])).body).toBe('CODED')
    expect(site.seen).toHaveLength(2)
  })

  test('with more than 16 names is as good as *', async () => {
    const names = Array.from({ length: 17 }, (_, index) => `X-${index}`)
    await using many = await varying(...names)
    await using enough = await varying(...names.slice(1))
    for (const [site, count] of [
      [many, 2],
      [enough, 1],
    ] as const) {
      process.env['HTTPSYS_RUNTIME_DIR'] = site.fixture.directory
      for (let times = 0; times < 2; times++) await site.ask('/2/')
      expect(site.seen).toHaveLength(count)
    }
  })

  test('of one URL keeps 64 responses, and the oldest goes', async () => {
    await using site = await varying('X-Kind')
    for (let kind = 0; kind <= 64; kind++) await site.ask('/2/', [`X-Kind: ${kind}`])
    expect(site.cache.responses).toBe(64)
    site.seen.length = 0
    await site.ask('/2/', ['X-Kind: 64'])
    await site.ask('/2/', ['X-Kind: 1'])
    expect(site.seen).toHaveLength(0)
    await site.ask('/2/', ['X-Kind: 0'])
    expect(site.seen).toHaveLength(1)
  })
})
