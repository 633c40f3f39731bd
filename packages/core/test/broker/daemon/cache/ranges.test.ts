import { describe, expect, test } from 'vitest'
import { AGE, CachedSite } from '../../../support/cached-site.ts'

// Parts of stored responses (RFC 9110 section 14), on the wire.

const BODY = '0123456789'
const MODIFIED = 'Tue, 24 Nov 2020 12:00:00 GMT'

/** A site whose `/2/` is in the cache. */
async function stored(fields: readonly [string, string][] = [], body = BODY): Promise<CachedSite> {
  const site = await CachedSite.open((_request, response) => {
    response.cachePolicy = { ttl: 60 }
    for (const [name, value] of fields) response.setHeader(name, value)
    response.end(body)
  })
  await site.ask('/2/')
  return site
}

describe('Range', () => {
  test.each([
    ['bytes=0-0', '0', '0-0'],
    ['bytes=2-4', '234', '2-4'],
    ['bytes=7-', '789', '7-9'],
    ['bytes=7-99', '789', '7-9'],
    ['bytes=-3', '789', '7-9'],
    ['bytes=-99', '0123456789', '0-9'],
    ['BYTES=1-1', '1', '1-1'],
    ['bytes=,1-1,', '1', '1-1'],
    ['bytes=0-999999999999999999999', '0123456789', '0-9'],
  ])('%s is a part', async (range, body, place) => {
    await using site = await stored([['Content-Type', 'text/plain']])
    const response = await site.ask('/2/', [`Range: ${range}`])
    expect(response).toMatchObject({ status: 206, body })
    expect(response.headers).toMatchObject({
      'content-range': `bytes ${place}/10`,
      'content-length': String(body.length),
      'content-type': 'text/plain',
      age: AGE,
    })
    expect(site.seen).toHaveLength(1)
  })

  test.each(['bytes=10-', 'bytes=10-12', 'bytes=-0', 'bytes=99-,100-', 'bytes=99999999999999999999-'])(
    '%s lies behind the end',
    async (range) => {
      await using site = await stored()
      const response = await site.ask('/2/', [`Range: ${range}`])
      expect(response).toMatchObject({ status: 416, body: '' })
      expect(response.headers).toMatchObject({ 'content-range': 'bytes */10', 'content-length': '0' })
    },
  )

  test.each(['bytes=4-2', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=0-1,x', 'lines=0-1', 'bytes=0-1,4-5', 'bytes 0-1'])(
    '%s is ignored',
    async (range) => {
      await using site = await stored()
      expect(await site.ask('/2/', [`Range: ${range}`])).toMatchObject({ status: 200, body: BODY })
      expect(site.seen).toHaveLength(1)
    },
  )

  test('is ignored where the app says Accept-Ranges: none', async () => {
    await using site = await stored([['Accept-Ranges', 'none']])
    expect((await site.ask('/2/', ['Range: bytes=0-1'])).status).toBe(200)
  })

  test('counts less than a condition', async () => {
    await using site = await stored([['ETag', '"a"']])
    expect((await site.ask('/2/', ['Range: bytes=0-1', 'If-None-Match: "a"'])).status).toBe(304)
  })

  test('cuts what is too large to be copied', async () => {
    const body = 'abcdefghijklmnopqrstuvwxyz'.repeat(8000)
    await using site = await stored([], body)
    const response = await site.ask('/2/', ['Range: bytes=100-150000'])
    expect(response.status).toBe(206)
    expect(response.body === body.slice(100, 150_001)).toBe(true)
  })
})

describe('If-Range', () => {
  test.each([
    ['the same tag', '"a"', [['ETag', '"a"']], 206],
    ['another tag', '"b"', [['ETag', '"a"']], 200],
    ['a weak tag', 'W/"a"', [['ETag', 'W/"a"']], 200],
    ['a tag where there is none', '"a"', [], 200],
    ['the date', MODIFIED, [['Last-Modified', MODIFIED]], 206],
    ['a later date', 'Tue, 24 Nov 2020 12:00:01 GMT', [['Last-Modified', MODIFIED]], 200],
    ['no date', 'now', [['Last-Modified', MODIFIED]], 200],
    [
      'a date too close to tell versions apart',
      MODIFIED,
      [
        ['Last-Modified', MODIFIED],
        ['Date', MODIFIED],
      ],
      200,
    ],
  ] as [string, string, [string, string][], number][])('with %s', async (_, condition, fields, status) => {
    await using site = await stored(fields)
    const response = await site.ask('/2/', ['Range: bytes=0-1', `If-Range: ${condition}`])
    expect(response).toMatchObject({ status, body: status === 206 ? '01' : BODY })
  })
})
