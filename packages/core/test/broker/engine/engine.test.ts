import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { peerCredentials } from '../../../src/sockets/peer-credentials.ts'
import { RESCUE_MS, timeWhileBlocking } from '../../support/blocking-listener.ts'
import { Harness, LOOPBACK, Recorder, engines } from './engines.ts'

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'))

/** Bytes that tell their place: any that is lost, doubled or out of order shows. */
function pattern(length: number, seed = 0): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let index = 0; index < length; index++) bytes[index] = (index * 31 + (index >> 8) * 7 + seed) & 0xff
  return bytes
}

/** Not by iteration, which destroys a socket whose other direction is still open. */
async function readAll(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  client.on('data', (chunk) => chunks.push(chunk))
  await once(client, 'end')
  return Buffer.concat(chunks)
}

/** Resolves when a number has stayed the same for a while. */
async function settled(read: () => number): Promise<void> {
  for (let before = -1; read() !== before;) {
    before = read()
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe.each(engines)('the engine $name', ({ name, open }) => {
  test('delivers what a client sends and sends what the handler writes, in order', async () => {
    await using harness = await Harness.listen(open())
    const { client, recorder } = await harness.connect()
    client.write('ping')
    await expect.poll(() => recorder.text).toBe('ping')
    const { connection } = recorder
    connection.writeText('one ')
    connection.write(Buffer.from('xtwo x'), 1, 5)
    connection.cork()
    connection.writeText('three ')
    connection.uncork()
    connection.writeText('caf\u00e9')
    connection.end()
    expect(await readAll(client)).toEqual(Buffer.from('one two three caf\u00e9', 'latin1'))
  })

  test('mixes text, copies and chunks of all sizes without losing or moving a byte', async () => {
    await using harness = await Harness.listen(open())
    const { client, recorder } = await harness.connect()
    const { connection } = recorder
    const expected: Buffer[] = []
    const done: boolean[] = []
    for (const [index, size] of [1, 4095, 4096, 4097, 16_383, 16_384, 70_000, 73_728, 73_729, 200_000, 3].entries()) {
      const bytes = pattern(size, index)
      expected.push(Buffer.from('<'), bytes, bytes, bytes, Buffer.from('>'))
      connection.writeText('<')
      const copied = Buffer.from(bytes)
      connection.write(copied, 0, size)
      copied.fill(0)
      connection.writeText(bytes.toString('latin1'))
      connection.writeChunks([bytes.subarray(0, size >> 1), bytes.subarray(size >> 1)], (isSent) => done.push(isSent))
      connection.writeText('>')
    }
    connection.end()
    const received = await readAll(client)
    expect(Buffer.compare(received, Buffer.concat(expected))).toBe(0)
    expect(done).toEqual(Array.from({ length: 11 }, () => true))
  })

  test('gives little more of what has come when the handler pauses it', async () => {
    await using harness = await Harness.listen(open())
    const { client, recorder } = await harness.connect()
    const { connection } = recorder
    connection.pause()
    client.write(pattern(8 * 1024 * 1024))
    await settled(() => client.bytesWritten - client.writableLength)
    const before = recorder.bytes
    recorder.onData = (_bytes, start, end) => {
      recorder.bytes += end - start
      connection.pause()
    }
    connection.resume()
    await expect.poll(() => recorder.bytes).toBeGreaterThan(before)
    await settled(() => recorder.bytes)
    expect(recorder.bytes - before).toBeLessThan(512 * 1024)
  })

  test('holds back a client that sends too fast while it is paused, and loses nothing', async () => {
    await using harness = await Harness.listen(open())
    const { client, recorder } = await harness.connect()
    client.write('first')
    await expect.poll(() => recorder.text).toBe('first')
    recorder.connection.pause()
    const bytes = pattern(32 * 1024 * 1024)
    client.write(bytes)
    // The kernel's buffers on both sides are full.
    await settled(() => client.bytesWritten - client.writableLength)
    expect(recorder.bytes).toBeLessThan(1024 * 1024)
    recorder.connection.resume()
    await expect.poll(() => recorder.bytes, { timeout: 10_000 }).toBe(bytes.length + 5)
    recorder.connection.pause()
    recorder.connection.resume()
    client.end('last')
    await expect.poll(() => recorder.bytes).toBe(bytes.length + 9)
    await expect.poll(() => recorder.hasEnded).toBe(true)
  })

  test('tells when a connection is full and when it has room again, and what the client has taken', async () => {
    await using harness = await Harness.listen(open())
    const { client, recorder } = await harness.connect()
    const { connection } = recorder
    client.pause()
    const piece = pattern(64 * 1024)
    let written = 0
    while (written < 32 * 1024 * 1024) {
      connection.write(piece, 0, piece.length)
      written += piece.length
    }
    expect(connection.isFull).toBe(true)
    expect(connection.hasQueued).toBe(true)
    expect(recorder.drains).toBe(0)
    let received = 0
    client.on('data', (chunk) => (received += chunk.length))
    client.resume()
    await expect.poll(() => received, { timeout: 10_000 }).toBe(written)
    await expect.poll(() => connection.takenBytes).toBe(written)
    expect(connection.isFull).toBe(false)
    expect(connection.hasQueued).toBe(false)
    expect(recorder.drains).toBe(1)
  })

  test('keeps a connection half open until both sides have ended', async () => {
    await using harness = await Harness.listen(open())
    const { client, recorder } = await harness.connect()
    client.end('question')
    await expect.poll(() => recorder.hasEnded).toBe(true)
    expect(recorder.text).toBe('question')
    recorder.connection.writeText('answer')
    expect(recorder.closes).toBe(0)
    recorder.connection.end()
    expect((await readAll(client)).toString()).toBe('answer')
    await expect.poll(() => recorder.closes).toBe(1)

    const other = await harness.connect()
    other.recorder.connection.writeText('bye')
    other.recorder.connection.end()
    expect((await readAll(other.client)).toString()).toBe('bye')
    other.client.write('late')
    await expect.poll(() => other.recorder.text).toBe('late')
    expect(other.recorder.closes).toBe(0)
    other.client.end()
    await expect.poll(() => other.recorder.closes).toBe(1)
  })

  test('says once that a connection is gone, and that what it could not send was not', async () => {
    await using harness = await Harness.listen(open())
    const reset = await harness.connect()
    reset.client.resetAndDestroy()
    await expect.poll(() => reset.recorder.closes).toBe(1)
    expect(reset.recorder.connection.descriptor).toBe(-1)

    const stuck = await harness.connect()
    stuck.client.pause()
    const outcomes: boolean[] = []
    const { connection } = stuck.recorder
    for (let count = 0; count < 64; count++) {
      connection.writeChunks([pattern(256 * 1024)], (isSent) => outcomes.push(isSent))
    }
    connection.writeChunks([Buffer.from('small')], (isSent) => outcomes.push(isSent))
    await expect.poll(() => outcomes.length).toBeGreaterThan(0)
    connection.destroy()
    connection.destroy()
    connection.writeText('nobody reads this')
    connection.end()
    connection.pause()
    connection.resume()
    await expect.poll(() => stuck.recorder.closes).toBe(1)
    expect(outcomes).toHaveLength(65)
    expect(outcomes.at(-1)).toBe(false)
    expect(outcomes[0]).toBe(true)
    expect(outcomes.lastIndexOf(true)).toBe(outcomes.indexOf(false) - 1)
  })

  test('delivers nothing after destroy, also from within a handler', async () => {
    class Destroyer extends Recorder {
      override onData(bytes: Buffer, start: number, end: number): void {
        super.onData(bytes, start, end)
        this.connection.writeText('answer')
        this.connection.destroy()
        expect(this.closes).toBe(0)
      }
    }
    await using harness = await Harness.listen(open(), LOOPBACK, (connection) => new Destroyer(connection))
    const { client, recorder } = await harness.connect()
    client.write('one')
    expect((await readAll(client)).toString()).toBe('answer')
    await expect.poll(() => recorder.closes).toBe(1)
    expect(recorder.text).toBe('one')
    expect(recorder.hasEnded).toBe(false)
  })

  test('serves more clients at once than it has buffers', async () => {
    await using harness = await Harness.listen(open())
    const pairs = await Promise.all(Array.from({ length: 700 }, () => harness.connect()))
    // All of it waits when the engine looks next.
    for (const { client } of pairs) client.write('x'.repeat(5000))
    for (const { recorder } of pairs) await expect.poll(() => recorder.bytes, { timeout: 10_000 }).toBe(5000)
    for (const { recorder } of pairs) recorder.connection.writeText(`you are ${recorder.connection.remotePort}`)
    for (const { recorder } of pairs) recorder.connection.end()
    const answers = await Promise.all(pairs.map(({ client }) => readAll(client)))
    expect(new Set(answers.map((answer) => answer.toString().replace(/\d+$/, '')))).toEqual(new Set(['you are ']))
    expect(new Set(answers.map(String)).size).toBe(700)
  })

  test('never sends from memory that something else has been written to', async () => {
    await using harness = await Harness.listen(open())
    const pairs = await Promise.all(Array.from({ length: 12 }, () => harness.connect()))
    const sizes = [700, 3000, 9000, 40_000, 71_000]
    // Readers that stop and go leave sends in flight for long, while others' blocks come and go.
    const reading = pairs.map(async ({ client }, index) => {
      const chunks: Buffer[] = []
      for await (const chunk of client) {
        chunks.push(chunk as Buffer)
        if ((chunks.length + index) % 3 === 0) await new Promise((resolve) => setTimeout(resolve, index % 4))
      }
      return Buffer.concat(chunks)
    })
    const expected = pairs.map((): Buffer[] => [])
    for (let round = 0; round < 60; round++) {
      for (const [index, { recorder }] of pairs.entries()) {
        const bytes = pattern(sizes[(round + index) % sizes.length]!, round * 17 + index)
        expected[index]!.push(bytes)
        recorder.connection.write(bytes, 0, bytes.length)
      }
      await new Promise(setImmediate)
    }
    for (const { recorder } of pairs) recorder.connection.end()
    for (const [index, received] of (await Promise.all(reading)).entries()) {
      expect(Buffer.compare(received, Buffer.concat(expected[index]!))).toBe(0)
    }
  })

  test('gives every client its own bytes, and its end, however long it has stayed and whoever was there before', async () => {
    class Echo extends Recorder {
      override onData(bytes: Buffer, start: number, end: number): void {
        super.onData(bytes, start, end)
        this.connection.write(bytes, start, end)
        if (this.text.endsWith('.')) this.connection.end()
        if (this.text.endsWith('!')) this.connection.destroy()
      }
    }
    await using harness = await Harness.listen(open(), LOOPBACK, (connection) => new Echo(connection))
    const stay = async (name: string, rounds: number, isBig: boolean, last: string): Promise<void> => {
      const { client, recorder } = await harness.connect()
      const end = once(client, 'end')
      let received = ''
      client.on('data', (bytes: Buffer) => (received += bytes.toString('latin1')))
      let expected = ''
      for (let round = 1; round <= rounds; round++) {
        const padding = isBig && round % 7 === 0 ? '-'.repeat(9000) : ''
        const text = `${name} in round ${round}${padding}${round === rounds ? last : ','}`
        client.write(text)
        expected += text
        await expect.poll(() => received.length, { interval: 1 }).toBe(expected.length)
      }
      await end
      client.end()
      expect(received).toBe(expected)
      await expect.poll(() => recorder.closes, { interval: 1 }).toBe(1)
    }
    for (let wave = 0; wave < 3; wave++) {
      const clients = Array.from({ length: 12 }, (_, index) => {
        return stay(`${wave}/${index}`, 10 + index * 3, index % 2 === 0, index % 3 === 0 ? '.' : '!')
      })
      await Promise.all(clients)
    }
  })

  test.each([
    ['127.0.0.1', '127.0.0.1', false],
    ['::1', '::1', true],
    ['::', '::1', true],
    ['::', '127.0.0.1', true],
  ])('shows addresses as node:net does: listening on %s, client of %s', async (host, clientHost, needsIpv6) => {
    if (needsIpv6 && !hasIpv6) return
    await using harness = await Harness.listen(open(), { kind: 'tcp', host, port: 0, ipv6Only: false })
    const { client, recorder } = await harness.connect(clientHost)
    const node = createServer()
    node.listen(0, host)
    await once(node, 'listening')
    const accepted = once(node, 'connection') as Promise<[Socket]>
    const other = connect((node.address() as AddressInfo).port, clientHost)
    const [socket] = await accepted
    const { connection } = recorder
    expect(harness.listener.address).toBe((node.address() as AddressInfo).address)
    expect(connection.localAddress).toBe(socket.localAddress)
    expect(connection.remoteAddress).toBe(socket.remoteAddress)
    expect(connection.localPort).toBe(harness.listener.port)
    expect(connection.remotePort).toBe(client.localPort)
    other.destroy()
    socket.destroy()
    node.close()
  })

  test('refuses with Node’s codes', async () => {
    await using harness = await Harness.listen(open())
    const { port } = harness.listener
    await expect(open().listen({ ...LOOPBACK, port }, () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await expect(open().listen({ ...LOOPBACK, host: '192.0.2.1' }, () => {})).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
    })
    await expect(open().listen({ kind: 'local', path: '/nowhere/at/all' }, () => {})).rejects.toMatchObject({
      code: expect.stringMatching(/ENOENT|EACCES/) as string,
    })
  })

  test('frees its port when close resolves, and goes on with the connections that it has', async () => {
    const harness = await Harness.listen(open())
    const { client, recorder } = await harness.connect()
    const { port } = harness.listener
    await harness.listener.close()
    await harness.listener.close()
    const next = await open().listen({ ...LOOPBACK, port }, () => {})
    await next.close()
    recorder.connection.writeText('still here')
    recorder.connection.end()
    expect((await readAll(client)).toString()).toBe('still here')
    await harness[Symbol.asyncDispose]()
  })

  test('adopts a socket that listens already, whoever may accept from it besides', async () => {
    const node = createServer((socket) => socket.end('from node:net'))
    node.listen(0, '127.0.0.1')
    await once(node, 'listening')
    const { fd } = (node as unknown as { _handle: { fd: number } })._handle
    const { port } = node.address() as AddressInfo
    const descriptor = await duplicate(fd)
    const recorders: Recorder[] = []
    const listener = await open().listen({ kind: 'descriptor', descriptor }, (connection) => {
      recorders.push(new Recorder(connection))
      connection.writeText('from the engine')
      connection.end()
    })
    expect(listener).toMatchObject({ address: '127.0.0.1', port })
    node.close()
    for (let count = 0; count < 3; count++) {
      expect((await readAll(connect(port, '127.0.0.1'))).toString()).toBe('from the engine')
    }
    await listener.close()
    expect(recorders).toHaveLength(3)
  })

  test.skipIf(name === 'net')(
    'waits for nobody in a call, also when another process has set the socket to block',
    async () => {
      const node = createServer()
      node.listen(0, '127.0.0.1')
      await once(node, 'listening')
      const { fd } = (node as unknown as { _handle: { fd: number } })._handle
      const { port } = node.address() as AddressInfo
      const descriptor = await duplicate(fd)
      let clients = 0
      const listener = await open().listen({ kind: 'descriptor', descriptor }, (connection) => {
        clients++
        connection.handler = new Recorder(connection)
        connection.end()
      })
      node.close()
      await readAll(connect(port, '127.0.0.1'))
      const time = await timeWhileBlocking(listener.descriptor, port, async () => {
        for (let count = 0; count < 3; count++) await readAll(connect(port, '127.0.0.1'))
      })
      await listener.close()
      expect(clients).toBeGreaterThanOrEqual(4)
      expect(time).toBeLessThan(RESCUE_MS - 500)
    },
  )

  test('serves local sockets, and knows who is at the other end', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'httpsys-engine-'))
    const path = join(directory, 's')
    const recorders: Recorder[] = []
    const listener = await open().listen({ kind: 'local', path }, (connection) => {
      recorders.push(new Recorder(connection))
    })
    expect(listener).toMatchObject({ address: '', port: 0 })
    const client = connect({ path, allowHalfOpen: true })
    const bytes = pattern(3_000_000)
    client.end(bytes)
    await expect.poll(() => recorders[0]?.bytes, { timeout: 10_000 }).toBe(bytes.length)
    const [{ connection }] = recorders as [Recorder]
    if (process.platform === 'linux') {
      expect(peerCredentials(connection.descriptor)).toMatchObject({ uid: process.getuid!() })
    }
    connection.writeChunks([bytes], () => {})
    connection.end()
    expect(Buffer.compare(await readAll(client), bytes)).toBe(0)
    await listener.close()
    await rm(directory, { recursive: true })
  })

  test('hears what a process has sent before it went, also when a write finds first that it is gone', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'httpsys-engine-'))
    const path = join(directory, 's')
    const recorders: Recorder[] = []
    const listener = await open().listen({ kind: 'local', path }, (connection) => {
      recorders.push(new Recorder(connection))
    })
    for (let round = 0; round < 3; round++) {
      const client = connect(path)
      client.write('hello')
      await expect.poll(() => recorders.at(round)?.text).toBe('hello')
      const outcomes: boolean[] = []
      client.write(', and good-bye')
      client.destroy()
      const recorder = recorders[round]!
      recorder.connection.writeChunks([Buffer.from('to nobody')], (isSent) => outcomes.push(isSent))
      await expect.poll(() => recorder.text).toBe('hello, and good-bye')
      await expect.poll(() => recorder.hasEnded || recorder.closes === 1).toBe(true)
      expect(outcomes).toEqual([false])
      recorder.connection.destroy()
      await expect.poll(() => recorder.closes).toBe(1)
    }
    await listener.close()
    await rm(directory, { recursive: true })
  })

  test('calls back what was deferred once, and what that writes leaves after what was written before', async () => {
    class Deferrer extends Recorder {
      override onData(): void {
        this.connection.defer(() => this.connection.writeText(' deferred'))
        this.connection.writeText('first')
      }
    }
    await using harness = await Harness.listen(open(), LOOPBACK, (connection) => new Deferrer(connection))
    const { client } = await harness.connect()
    let received = ''
    client.on('data', (piece: Buffer) => (received += piece.toString()))
    client.write('x')
    await expect.poll(() => received).toBe('first deferred')
    client.write('y')
    await expect.poll(() => received).toBe('first deferredfirst deferred')
  })
})

/** Another descriptor of the same open socket. */
async function duplicate(fd: number): Promise<number> {
  const { default: koffi } = await import('koffi')
  return koffi.load(null).func('int dup(int fd)')(fd) as number
}
