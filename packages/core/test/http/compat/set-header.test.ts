import { ServerResponse } from 'node:http'
import type { RequestListener } from 'node:http'
import { expect, test } from 'vitest'
import { Site, codeOf, describeCompat, get } from './hosts.ts'
import type { Host } from './hosts.ts'

/** A name is treated differently from its second use on, so each test asks three times. */
const TIMES = 3

async function ask(host: Host, handler: RequestListener, options = {}): Promise<string[]> {
  await using site = await Site.open(host, handler, options)
  const answers: string[] = []
  for (let time = 0; time < TIMES; time++) answers.push(await site.exchange(get()))
  return answers
}

/** Not in @types/node 20. */
function rawNamesOf(response: ServerResponse): string[] {
  return (response as ServerResponse & { getRawHeaderNames(): string[] }).getRawHeaderNames()
}

describeCompat('setHeader, again and again', (host) => {
  test('sends the last value, under the name as it was written last', async () => {
    const seen: unknown[] = []
    const answers = await ask(host, (_request, response) => {
      response.setHeader('X-Again', 'first').setHeader('x-AGAIN', 2)
      response.setHeader('X-Other', 'b').setHeader('x-list', ['c', 'd'])
      seen.push([response.getHeader('X-again'), response.getHeaderNames(), rawNamesOf(response)])
      response.end('body')
    })
    for (const answer of answers) expect(answer).toContain('\r\nx-AGAIN: 2\r\nX-Other: b\r\nx-list: c\r\nx-list: d\r\n')
    for (const answer of answers) expect(answer).not.toContain('first')
    const names = ['x-again', 'x-other', 'x-list']
    expect(seen).toEqual(Array.from({ length: TIMES }, () => [2, names, ['x-AGAIN', 'X-Other', 'x-list']]))
  })

  test('names that objects inherit are headers like others', async () => {
    const seen: unknown[] = []
    const answers = await ask(host, (_request, response) => {
      response.setHeader('X-First', '1')
      const before = ['constructor', '__proto__', 'toString'].map((name) => response.hasHeader(name))
      response.setHeader('Constructor', 'a').setHeader('__proto__', 'b').setHeader('12', 'c')
      seen.push([before, Object.getPrototypeOf(response.getHeaders()), response.getHeader('__proto__')])
      response.removeHeader('x-first')
      response.end()
    })
    expect(seen).toEqual(Array.from({ length: TIMES }, () => [[false, false, false], null, 'b']))
    for (const answer of answers) {
      expect(answer).toContain('Constructor: a\r\n')
      expect(answer).toContain('__proto__: b\r\n')
      expect(answer).toContain('12: c\r\n')
      expect(answer).not.toContain('X-First')
    }
  })

  test('takes and refuses the same characters, in short values and in long ones', async () => {
    const codes = [0, 9, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0xff, 0x100, 0x2028]
    const seen: unknown[] = []
    await ask(host, (_request, response) => {
      response.setHeader('X-Known', 'good')
      for (const length of [0, 62, 63, 64, 200]) {
        const verdicts = codes.map((code) => {
          const value = `${'a'.repeat(length)}${String.fromCharCode(code)}b`
          return codeOf(() => response.setHeader('X-Known', value)) ?? null
        })
        seen.push(verdicts)
      }
      response.removeHeader('X-Known')
      response.end()
    })
    const refused = 'ERR_INVALID_CHAR'
    const row = [refused, null, refused, null, null, refused, null, null, refused, refused]
    expect(seen).toEqual(Array.from({ length: 5 * TIMES }, () => row))
  })

  test('refuses what it refuses the first time', async () => {
    const seen: unknown[] = []
    await ask(host, (_request, response) => {
      response.setHeader('X-Known', 'good')
      const codes = ['a\r\nb: c', '\u0100', undefined, null].map((value) => {
        return codeOf(() => response.setHeader('X-Known', value as string))
      })
      const bad = codeOf(() => response.setHeader('X Known', 'a'))
      const kept = response.getHeader('x-known')
      response.flushHeaders()
      seen.push([...codes, bad, kept, codeOf(() => response.setHeader('X-Known', 'late'))])
      response.end()
    })
    const refused = ['ERR_INVALID_CHAR', 'ERR_INVALID_CHAR', 'ERR_HTTP_INVALID_HEADER_VALUE', undefined]
    const row = [...refused, 'ERR_INVALID_HTTP_TOKEN', null, 'ERR_HTTP_HEADERS_SENT']
    expect(seen).toEqual(Array.from({ length: TIMES }, () => row))
  })

  test('goes together with what writeHead is given', async () => {
    const answers = await ask(host, (_request, response) => {
      response.setHeader('X-One', '1').setHeader('X-Two', '2')
      response.writeHead(200, { 'x-two': 'two', 'X-Three': '3' })
      response.end()
    })
    for (const answer of answers) expect(answer).toContain('X-One: 1\r\nx-two: two\r\nX-Three: 3\r\n')
  })

  test('a class that has its own is asked each time', async () => {
    class Shouting extends ServerResponse {
      override setHeader(name: string, value: number | string | readonly string[]): this {
        return super.setHeader(name, String(value).toUpperCase())
      }
    }
    const answers = await ask(host, (_request, response) => response.setHeader('X-Loud', 'quiet').end(), {
      ServerResponse: Shouting,
    })
    for (const answer of answers) expect(answer).toContain('X-Loud: QUIET\r\n')
  })

  test('a prototype that is put in later, as Express does, is asked each time', async () => {
    const prototype = Object.create(ServerResponse.prototype, {
      setHeader: {
        value(this: ServerResponse, name: string, value: string) {
          return ServerResponse.prototype.setHeader.call(this, `${name}-Renamed`, value)
        },
      },
    }) as ServerResponse
    const answers = await ask(host, (_request, response) => {
      Object.setPrototypeOf(response, prototype)
      response.setHeader('X-Name', 'a').end()
    })
    for (const answer of answers) expect(answer).toContain('X-Name-Renamed: a\r\n')
  })
})
