import { expect, test } from 'vitest'
import { Site, describeCompat, describePrivateCompat, get } from './hosts.ts'

const UPGRADE = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'
const CONNECT = 'CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n'
const SWITCHED = 'HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'

describeCompat('a request that leaves HTTP', (host) => {
  test('says so in its upgrade member, which is false for all others', async () => {
    const seen: unknown[] = []
    await using site = await Site.open(host, (request, response) => {
      seen.push((request as { upgrade?: unknown }).upgrade)
      response.end()
    })
    await site.exchange(get())
    site.server.on('upgrade', (request, socket) => {
      seen.push((request as { upgrade?: unknown }).upgrade)
      socket.end(SWITCHED)
    })
    await site.exchange(UPGRADE)
    await site.exchange(get())
    expect(seen).toEqual([false, true, false])
  })

  test('may send bytes before it is answered', async () => {
    await using site = await Site.open(host)
    site.server.on('upgrade', (_request, socket, head) => {
      socket.write(SWITCHED)
      socket.write(head)
      socket.pipe(socket)
    })
    const client = await site.client()
    client.write(`${UPGRADE}one `)
    await client.until(/one $/)
    client.write('two')
    expect(await client.until(/two$/)).toBe(`${SWITCHED}one two`)
  })
})

describePrivateCompat('on a port of its own a request that leaves HTTP', (host) => {
  test.each([
    ['upgrade', UPGRADE, ''],
    ['upgrade', UPGRADE, 'one'],
    ['connect', CONNECT, ''],
    ['connect', CONNECT, 'one'],
  ])('with %s hands over what came with its head: %j and %j', async (event, request, body) => {
    await using site = await Site.open(host)
    site.server.on(event, (_request, socket, head: Buffer) => {
      socket.write(SWITCHED)
      socket.end(`head ${head.toString()} end`)
    })
    expect(await site.exchange(request + body)).toBe(`${SWITCHED}head ${body} end`)
  })

  test('keeps what comes later for the socket', async () => {
    await using site = await Site.open(host)
    const large = 'x'.repeat(300_000)
    site.server.on('upgrade', (_request, socket, head: Buffer) => {
      let length = head.length
      socket.on('data', (chunk: Buffer) => (length += chunk.length))
      socket.on('end', () => socket.end(`${length}`))
      socket.write(SWITCHED)
    })
    const client = await site.client()
    client.write(UPGRADE + large)
    client.socket.end()
    expect(await client.untilEnd()).toBe(`${SWITCHED}300000`)
  })

  test('body that can’t be read is an error of the socket', async () => {
    const seen: unknown[] = []
    await using site = await Site.open(host, (request) => {
      request.socket.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code))
      request.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code))
      client.write('W')
    })
    const client = await site.client()
    client.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
    expect(await client.untilEnd()).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
    await expect.poll(() => seen).toHaveLength(2)
    expect(seen).toEqual(expect.arrayContaining(['HPE_INVALID_CHUNK_SIZE', 'ECONNRESET']))
  })
})
