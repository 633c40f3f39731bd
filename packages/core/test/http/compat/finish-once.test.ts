import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { Site, describeCompat, get } from './hosts.ts'

/** Ways to end a response of which something has been sent before. */
const WAYS: [title: string, answer: (response: ServerResponse) => void][] = [
  ['at once', (response) => response.end()],
  ['a turn later', (response) => void setImmediate(() => response.end())],
  ['with a last piece', (response) => response.end('the end')],
  ['with a length', (response) => response.end()],
  ['with a callback', (response) => response.end(() => {})],
  ['twice', (response) => response.end().end()],
]

describeCompat('a response in several pieces', (host) => {
  test.each(WAYS)('is finished once, then closed, when it ends %s', async (title, answer) => {
    const seen: string[] = []
    await using site = await Site.open(host, (_request, response) => {
      for (const event of ['finish', 'close']) response.on(event, () => seen.push(event))
      if (title === 'with a length') response.setHeader('Content-Length', 9)
      response.write('beginning')
      answer(response)
    })
    await site.exchange(get())
    await expect.poll(() => seen).toContain('close')
    expect(seen).toEqual(['finish', 'close'])
  })

  test('written until there is no room drains once, and is finished once', async () => {
    const seen: unknown[] = []
    const piece = Buffer.alloc(128 * 1024, 'x')
    await using site = await Site.open(host, (_request, response) => {
      response.on('finish', () => seen.push('finish'))
      response.on('close', () => seen.push('close'))
      response.write('start')
      while (response.write(piece));
      response.on('drain', () => {
        seen.push('drain', response.write('end'))
        response.end()
      })
    })
    const text = await site.exchange(get())
    expect(text).toMatch(/3\r\nend\r\n0\r\n\r\n$/)
    await expect.poll(() => seen).toContain('close')
    expect(seen).toEqual(['drain', true, 'finish', 'close'])
  })
})
