import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PerformanceObserver } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { RawClient } from '../../support/raw-client.ts'
import { Site, describeCompat, get } from './hosts.ts'

/** What @types/node leaves out. */
interface HttpEntry {
  readonly name: string
  readonly detail: { readonly req: { readonly url: string }; readonly res: { readonly statusCode: number } }
}

const everything = ['request', 'response', 'server', 'socket']
const messages: [name: string, members: string[]][] = [
  ['http.server.request.start', everything],
  ['http.server.response.finish', everything],
]
// Node 20 has not got it.
if (!process.version.startsWith('v20.')) messages.push(['http.server.response.created', ['request', 'response']])

describeCompat('observability', (host) => {
  test.each(messages)('%s is published', async (name, members) => {
    const seen: string[][] = []
    const listener = (message: unknown): void => void seen.push(Object.keys(message as object).toSorted())
    await using site = await Site.open(host, (_request, response) => response.end())
    subscribe(name, listener)
    try {
      await site.exchange(get())
      await expect.poll(() => seen).toEqual([members])
    } finally {
      unsubscribe(name, listener)
    }
  })

  test('perf_hooks sees the request', async () => {
    await using site = await Site.open(host, (_request, response) => response.end())
    const seen: unknown[] = []
    const observer = new PerformanceObserver((list) => {
      for (const { name, detail } of list.getEntries() as unknown as HttpEntry[]) {
        seen.push([name, detail.req.url, detail.res.statusCode])
      }
    })
    observer.observe({ entryTypes: ['http'] })
    await site.exchange(get('/measured'))
    await expect.poll(() => seen).toEqual([['HttpRequest', '/measured', 200]])
    observer.disconnect()
  })

  test('handlers and stream callbacks run in the context of listen', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const server = createServer((request, response) => {
      seen.push(storage.getStore())
      request.on('data', () => seen.push(storage.getStore()))
      request.on('end', () => {
        seen.push(storage.getStore())
        response.end()
      })
    })
    storage.run('listen', () => host.listen(server))
    await once(server, 'listening')
    const client = await RawClient.open((server.address() as AddressInfo).port)
    client.write('POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi')
    await client.untilEnd()
    client[Symbol.dispose]()
    server.close()
    await once(server, 'close')
    expect(seen).toEqual(['listen', 'listen', 'listen'])
  })

  test('enterWith in a handler does not reach other connections', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    await using site = await Site.open(host, (_request, response) => {
      seen.push(storage.getStore())
      storage.enterWith('mine')
      response.end()
    })
    await site.exchange(get())
    await site.exchange(get())
    expect(seen).toEqual([undefined, undefined])
  })
})
