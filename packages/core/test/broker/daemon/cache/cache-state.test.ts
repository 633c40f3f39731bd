import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, expect, test } from 'vitest'
import { queryCache } from '../../../../src/broker/client/query-cache.ts'
import httpsys from '../../../../src/index.ts'
import { CachedSite, numbered } from '../../../support/cached-site.ts'
import { closeServer } from '../../../support/listening.ts'

// What administrators see and do: `httpsys show cachestate`, `httpsys delete cache`.

const PAGES = ['/2/news', '/2/news/1', '/2/news/1?page=2', '/2/other']

async function filled(): Promise<CachedSite> {
  const site = await CachedSite.open(numbered(['Vary', 'Accept']))
  for (const page of PAGES) await site.ask(page)
  return site
}

describe('the state of the cache', () => {
  test('lists what is stored, the one that was used last first', async () => {
    await using site = await filled()
    await site.ask('/2/news')
    const state = await queryCache('', false)
    expect(state?.responses.map(({ url }) => url)).toEqual(
      ['/2/news', '/2/other', '/2/news/1?page=2', '/2/news/1'].map((target) => `http://localhost${target}`),
    )
    expect(state?.responses[0]).toEqual({
      url: 'http://localhost/2/news',
      prefix: `http://localhost:${site.port}/2/`,
      pid: process.pid,
      status: 200,
      bytes: 8,
      size: expect.any(Number) as number,
      age: expect.any(Number) as number,
      timeToLive: expect.any(Number) as number,
      hits: 1,
      vary: ['accept'],
    })
    expect(state).toMatchObject({ total: 4, cache: { responses: 4, hits: 1, misses: 3 } })
  })

  test.each([
    ['/2/news', ['/2/news']],
    ['/2/news/', ['/2/news/1?page=2', '/2/news/1', '/2/news']],
    ['/2/NEWS/1', ['/2/news/1?page=2', '/2/news/1']],
    ['/', ['/2/other', '/2/news/1?page=2', '/2/news/1', '/2/news']],
    ['/none', []],
  ])('of %s', async (path, targets) => {
    await using site = await filled()
    const state = await queryCache(`http://localhost:${site.port}${path}`, false)
    expect(state?.responses.map(({ url }) => url)).toEqual(targets.map((target) => `http://localhost${target}`))
    expect(state?.total).toBe(targets.length)
  })

  test('of another port, host or scheme is empty', async () => {
    await using site = await filled()
    for (const place of [`http://localhost:1`, `http://127.0.0.1:${site.port}`, `https://localhost:${site.port}`]) {
      expect((await queryCache(`${place}/`, false))?.total).toBe(0)
    }
  })

  test.each(['news', 'localhost/2/', 'http://localhost/2/', 'ftp://localhost:1/'])(
    'of %s is no question',
    async (url) => {
      await using site = await filled()
      await expect(queryCache(url, false)).rejects.toMatchObject({ code: 'EINVAL' })
      expect(site.cache.responses).toBe(4)
    },
  )

  test('is told in one answer however long the URLs are', async () => {
    await using site = await CachedSite.open(numbered())
    for (let count = 0; count < 60; count++) await site.ask(`/2/?${count}${'x'.repeat(8000)}`)
    const state = await queryCache('', false)
    expect(state?.total).toBe(60)
    expect(state?.responses.length).toBeGreaterThan(5)
    expect(state?.responses.length).toBeLessThan(60)
  })
})

test.each([
  ['', PAGES],
  ['/', PAGES],
  ['/2/', PAGES],
  ['/2/news/', ['/2/news', '/2/news/1', '/2/news/1?page=2']],
  ['/2/news', ['/2/news']],
  ['/3/', []],
])('what is deleted for %j is asked of the app again', async (path, gone) => {
  await using site = await filled()
  const url = path === '' ? '' : `http://localhost:${site.port}${path}`
  expect((await queryCache(url, true))?.total).toBe(gone.length)
  site.seen.length = 0
  for (const page of PAGES) await site.ask(page)
  expect(site.seen).toEqual(gone)
})

test('a prefix for every host is meant by whatever host the URL names', async () => {
  await using site = await filled()
  let calls = 0
  const server = createServer((_request, response) => {
    response.cachePolicy = { ttl: 60 }
    response.end(String(++calls))
  })
  server.listen(httpsys.prefix(`http://*:${site.port}/5/`))
  await once(server, 'listening')
  await site.ask('/5/page')
  const url = `http://any.test:${site.port}/5/page`
  expect(await queryCache(url, false)).toMatchObject({ total: 1, responses: [{ url: 'http://localhost/5/page' }] })
  expect((await queryCache(url, true))?.total).toBe(1)
  expect((await site.ask('/5/page')).body).toBe('2')
  expect((await queryCache(`http://any.test:${site.port}/2/news`, true))?.total).toBe(0)
  await closeServer(server)
})
