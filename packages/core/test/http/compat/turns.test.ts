import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { Site, describeCompat, get } from './hosts.ts'

describeCompat('within one turn', (host) => {
  test('a response that is destroyed after its first write sends nothing', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.write('begun')
      response.write('x'.repeat(20_000))
      response.destroy()
    })
    expect(await site.exchange(get())).toBe('')
    expect(await site.exchange(get())).toBe('')
  })

  test('what was sent in an earlier one stays sent', async () => {
    await using site = await Site.open(host, (_request, response) => {
      response.write('begun', () => response.destroy())
    })
    expect(await site.exchange(get())).toMatch(/\r\n5\r\nbegun\r\n$/)
  })

  test('small pieces together fill the high-water mark, and the next turn drains', async () => {
    const seen: unknown[] = []
    await using site = await Site.open(host, (_request, response) => {
      let count = 1
      while (response.write('x'.repeat(1000))) count++
      // 16 KiB on Node 20, 64 KiB later.
      const expected = response.writableHighWaterMark / 1000
      seen.push(Math.abs(count - expected) <= 1.5, response.writableNeedDrain)
      response.once('drain', () => {
        seen.push('drain', response.write('y'))
        response.end()
      })
    })
    expect(await site.exchange(get())).toMatch(/\r\n1\r\ny\r\n0\r\n\r\n$/)
    expect(seen).toEqual([true, true, 'drain', true])
  })

  test('a finish that the app’s own emit holds back holds back what follows it', async () => {
    const seen: string[] = []
    await using site = await Site.open(host, (request, response: ServerResponse) => {
      const emit = response.emit.bind(response) as (event: string, ...args: unknown[]) => boolean
      response.emit = (event: string, ...args: unknown[]): boolean => {
        if (event !== 'finish') return emit(event, ...args)
        setImmediate(() => {
          seen.push(`held, ${request.socket === response.socket}`)
          emit(event, ...args)
        })
        return true
      }
      for (const event of ['finish', 'close']) response.on(event, () => seen.push(event))
      response.end('whole')
    })
    const client = await site.client()
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await client.until('whole')
    await expect.poll(() => seen).toContain('close')
    expect(seen).toEqual(['held, true', 'finish', 'close'])
  })
})
