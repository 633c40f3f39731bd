import { describe, expect, test } from 'vitest'
import httpsys from '../../../../src/index.ts'
import { CachedSite, numbered } from '../../../support/cached-site.ts'

// How stored responses are forgotten before their time.

describe('flushResponseCache', () => {
  const pages = ['/2/', '/2/news', '/2/news/', '/2/news/1', '/2/news/1?page=2', '/2/newsletter']

  test.each<[string, string | undefined, readonly string[]]>([
    ['of the prefix: everything', undefined, pages],
    ['of a path: that, with any query, and with or without a slash', 'news', ['/2/news', '/2/news/']],
    ['of a path with a slash: what is below, too', 'news/', ['/2/news', '/2/news/', '/2/news/1', '/2/news/1?page=2']],
    ['of a longer path', 'news/1', ['/2/news/1', '/2/news/1?page=2']],
    ['of a path in other case and escaped', 'N%45WS/1', ['/2/news/1', '/2/news/1?page=2']],
    ['of a path that is not there', 'new', []],
  ])('%s', async (_, path, gone) => {
    await using site = await CachedSite.open(numbered())
    for (const page of pages) await site.ask(page)
    site.seen.length = 0
    await httpsys.flushResponseCache(`http://localhost:${site.port}/2/`, path)
    for (const page of pages) await site.ask(page)
    expect(site.seen).toEqual(gone)
    expect(site.cache.flushed).toBe(gone.length)
  })

  test('leaves what other prefixes have stored', async () => {
    await using site = await CachedSite.open(numbered())
    await site.serve('/3/', numbered())
    await site.ask('/2/a')
    await site.ask('/3/a')
    await httpsys.flushResponseCache(`http://localhost:${site.port}/3/`)
    site.seen.length = 0
    await site.ask('/2/a')
    await site.ask('/3/a')
    expect(site.seen).toEqual(['/3/a'])
  })

  test('keeps out the response to a request that had begun before', async () => {
    let answer = (): void => {}
    await using site = await CachedSite.open((_request, response) => {
      response.cachePolicy = { ttl: 60 }
      answer = () => response.end(`answer ${site.seen.length}`)
      if (site.seen.length > 1) answer()
    })
    const first = site.ask('/2/')
    await expect.poll(() => site.seen.length).toBe(1)
    await httpsys.flushResponseCache(`http://localhost:${site.port}/2/`)
    answer()
    expect((await first).body).toBe('answer 1')
    expect((await site.ask('/2/')).body).toBe('answer 2')
    expect((await site.ask('/2/')).body).toBe('answer 2')
  })
})

describe('a request that changes something', () => {
  /** A site whose pages are in the cache. */
  async function filled(status = 200, fields: Record<string, string> = {}): Promise<CachedSite> {
    let count = 0
    const site = await CachedSite.open((request, response) => {
      if (request.method === 'GET') response.cachePolicy = { ttl: 60 }
      else response.writeHead(status, fields)
      response.end(`answer ${++count}`)
    })
    for (const page of PAGES) await site.ask(page)
    site.seen.length = 0
    return site
  }
  const PAGES = ['/2/', '/2/a', '/2/a?x=1', '/2/a/b', '/2/c']

  async function missing(site: CachedSite): Promise<string[]> {
    site.seen.length = 0
    for (const page of PAGES) await site.ask(page)
    return site.seen
  }

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'MKCOL'])(
    'with %s makes what is stored of its URL worthless, and nothing else',
    async (method) => {
      await using site = await filled()
      await site.ask('/2/a', ['Content-Length: 0'], method)
      expect(await missing(site)).toEqual(['/2/a', '/2/a?x=1'])
    },
  )

  test.each(['OPTIONS', 'HEAD', 'TRACE'])('is not one with %s', async (method) => {
    await using site = await filled()
    await site.ask('/2/a', ['Authorization: x'], method)
    expect(await missing(site)).toEqual([])
  })

  test.each([400, 403, 404, 500])('does not when it is answered with %d', async (status) => {
    await using site = await filled(status)
    await site.ask('/2/a', ['Content-Length: 0'], 'POST')
    expect(await missing(site)).toEqual([])
  })

  test('does the same to what Location and Content-Location name', async () => {
    await using site = await filled(303, { Location: '/2/c?new#top', 'Content-Location': '/2/a/b' })
    await site.ask('/2/', ['Content-Length: 0'], 'POST')
    expect(await missing(site)).toEqual(['/2/', '/2/a/b', '/2/c'])
  })

  test('does not to what Location names elsewhere', async () => {
    await using site = await filled(201, { Location: '//example.org/2/c' })
    await site.ask('/2/none', ['Content-Length: 0'], 'POST')
    expect(await missing(site)).toEqual([])
  })

  test('keeps out the response to a request that had begun before', async () => {
    let answer = (): void => {}
    await using site = await CachedSite.open((request, response) => {
      if (request.method === 'POST') return void response.end()
      response.cachePolicy = { ttl: 60 }
      answer = () => response.end(`answer ${site.seen.length}`)
      if (site.seen.length !== 2) answer()
    })
    await site.ask('/2/other')
    const slow = site.ask('/2/a')
    await expect.poll(() => site.seen.length).toBe(2)
    await site.ask('/2/a', ['Content-Length: 0'], 'POST')
    answer()
    await slow
    expect((await site.ask('/2/a')).body).toBe('answer 4')
  })
})
