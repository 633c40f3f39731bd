import { describe, expect, test } from 'vitest'
import { AGE, CachedSite, numbered, readResponse, requestOf } from '../../../support/cached-site.ts'
import { RawClient } from '../../../support/raw-client.ts'

// Conditions of requests that the cache answers by itself (RFC 9110 section 13), on the wire.

const MODIFIED = 'Tue, 24 Nov 2020 12:00:00 GMT'
const BEFORE = 'Tue, 24 Nov 2020 11:59:59 GMT'
const AFTER = 'Tue, 24 Nov 2020 12:00:01 GMT'

describe('If-None-Match', () => {
  test.each([
    ['the same tag', '"a"', '"a"', 304],
    ['the same tag, weak in the request', 'W/"a"', '"a"', 304],
    ['the same tag, weak in the response', '"a"', 'W/"a"', 304],
    ['one of a list', '"x", W/"a,b", "a"', '"a"', 304],
    ['a tag with a comma', '"x,a"', '"x,a"', 304],
    ['any', '*', '"a"', 304],
    ['another tag', '"b"', '"a"', 200],
    ['a tag in other case', '"A"', '"a"', 200],
    ['a part of the tag', '"a', '"a"', 200],
    ['nothing', '', '"a"', 200],
  ])('with %s', async (_, condition, tag, status) => {
    await using site = await CachedSite.open(numbered(['ETag', tag]))
    await site.ask('/2/')
    const response = await site.ask('/2/', [`If-None-Match: ${condition}`])
    expect(response).toMatchObject({ status, body: status === 304 ? '' : 'answer 1' })
    expect(site.seen).toHaveLength(1)
  })

  test('counts in all its fields together', async () => {
    await using site = await CachedSite.open(numbered(['ETag', '"a"']))
    await site.ask('/2/')
    expect((await site.ask('/2/', ['If-None-Match: "x"', 'if-none-match: "a"'])).status).toBe(304)
  })

  test('counts more than If-Modified-Since', async () => {
    await using site = await CachedSite.open(numbered(['ETag', '"a"'], ['Last-Modified', MODIFIED]))
    await site.ask('/2/')
    const fields = [`If-Modified-Since: ${MODIFIED}`]
    expect((await site.ask('/2/', [...fields, 'If-None-Match: "b"'])).status).toBe(200)
    expect((await site.ask('/2/', [`If-Modified-Since: ${BEFORE}`, 'If-None-Match: "a"'])).status).toBe(304)
  })
})

describe('If-Modified-Since', () => {
  test.each([
    ['the date', MODIFIED, 304],
    ['a later date', AFTER, 304],
    ['an earlier date', BEFORE, 200],
    ['the date in the form of RFC 850', 'Tuesday, 24-Nov-20 12:00:00 GMT', 304],
    ['the date in the form of asctime', 'Tue Nov 24 12:00:00 2020', 304],
    ['no date', 'yesterday', 200],
    ['a day that does not exist', 'Tue, 31 Feb 2020 12:00:00 GMT', 200],
  ])('with %s', async (_, condition, status) => {
    await using site = await CachedSite.open(numbered(['Last-Modified', MODIFIED]))
    await site.ask('/2/')
    expect((await site.ask('/2/', [`If-Modified-Since: ${condition}`])).status).toBe(status)
    expect(site.seen).toHaveLength(1)
  })

  test('takes the date of a response that does not say when it was modified', async () => {
    await using site = await CachedSite.open(numbered())
    const { headers } = await site.ask('/2/')
    expect((await site.ask('/2/', [`If-Modified-Since: ${headers['date']}`])).status).toBe(304)
    expect((await site.ask('/2/', [`If-Modified-Since: ${MODIFIED}`])).status).toBe(200)
  })
})

test('304 tells what a 200 would have told, apart from the body', async () => {
  await using site = await CachedSite.open(
    numbered(
      ['ETag', '"a"'],
      ['Cache-Control', 'max-age=60'],
      ['Vary', 'Accept'],
      ['Content-Type', 'text/plain'],
      ['Content-Language', 'en'],
      ['Expires', AFTER],
    ),
  )
  const { headers } = await site.ask('/2/')
  using client = await RawClient.open(site.port)
  client.write(requestOf('/2/', ['If-None-Match: "a"']) + requestOf('/2/', ['Connection: close']))
  const text = await client.untilEnd()
  const response = readResponse(text)
  expect(response.headers).toEqual({
    date: headers['date'],
    age: AGE,
    etag: '"a"',
    'cache-control': 'max-age=60',
    vary: 'Accept',
    expires: AFTER,
    connection: 'keep-alive',
    'keep-alive': 'timeout=119',
  })
  // The next response begins where the head of the first ends.
  expect(response.body).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
})

test('HEAD is answered with the head of the GET', async () => {
  await using site = await CachedSite.open(numbered(['ETag', '"a"'], ['Content-Type', 'text/plain']))
  const get = await site.ask('/2/')
  const head = await site.ask('/2/', [], 'HEAD')
  expect(head).toEqual({ status: 200, body: '', headers: { ...get.headers, age: AGE, 'content-length': '8' } })
  expect((await site.ask('/2/', ['If-None-Match: "a"'], 'HEAD')).status).toBe(304)
  expect((await site.ask('/2/', ['Range: bytes=0-0'], 'HEAD')).headers).toEqual(head.headers)
  expect(site.seen).toHaveLength(1)
})

test('a condition that meets an empty cache is the app’s to judge, and what it answers whole is kept', async () => {
  await using site = await CachedSite.open((request, response) => {
    response.cachePolicy = { ttl: 60 }
    if (request.headers['if-none-match'] === '"a"') response.writeHead(304, { ETag: '"a"' }).end()
    else response.setHeader('ETag', '"a"').end('whole')
  })
  expect((await site.ask('/2/', ['If-None-Match: "a"'])).status).toBe(304)
  expect((await site.ask('/2/', ['If-None-Match: "a"'])).status).toBe(304)
  expect(site.seen).toHaveLength(2)
  expect((await site.ask('/2/', ['If-None-Match: "old"'])).body).toBe('whole')
  expect((await site.ask('/2/', ['If-None-Match: "a"'])).status).toBe(304)
  expect((await site.ask('/2/')).body).toBe('whole')
  expect(site.seen).toHaveLength(3)
})

test('a client that does not want its response to be stored gets one from the cache, but leaves none there', async () => {
  await using site = await CachedSite.open(numbered())
  expect((await site.ask('/2/', ['Cache-Control: max-age=0, NO-STORE'])).body).toBe('answer 1')
  expect((await site.ask('/2/')).body).toBe('answer 2')
  expect((await site.ask('/2/', ['Cache-Control: no-store'])).body).toBe('answer 2')
})

test.each(['Cache-Control: no-cache', 'Cache-Control: max-age=0', 'Pragma: no-cache'])(
  '%s of a client does not wake the app',
  async (field) => {
    await using site = await CachedSite.open(numbered())
    for (let times = 0; times < 2; times++) expect((await site.ask('/2/', [field])).body).toBe('answer 1')
  },
)
