import { closeSync, readdirSync } from 'node:fs'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { libc } from '../../src/sockets/libc.ts'
import type { Libc } from '../../src/sockets/libc.ts'
import { openListeningSocket } from '../../src/sockets/listening-socket.ts'
import type { ListenTarget } from '../../src/sockets/listening-socket.ts'
import { openSiblings } from '../../src/sockets/shared-port.ts'

const BACKLOG = 64
const SOL_SOCKET = 1
const SO_REUSEPORT = 15

/** An address of this test's own, and how often each socket there has been given a client. */
class Place {
  readonly target: ListenTarget
  readonly first: number
  readonly clients: number[] = []
  readonly #servers: Server[] = []

  constructor(library: Libc, host: string) {
    const socket = openListeningSocket(library, { host, port: 0, ipv6Only: true }, BACKLOG)
    this.first = socket.descriptor
    this.target = { host, port: socket.port, ipv6Only: true }
  }

  /** Counts what comes to the socket. */
  accept(descriptor: number): void {
    const index = this.clients.push(0) - 1
    const server = createServer((socket) => {
      this.clients[index]!++
      socket.destroy()
    })
    // @types/node 20 does not know `fd`.
    server.listen({ fd: descriptor } as object)
    this.#servers.push(server)
  }

  async connect(count: number): Promise<void> {
    for (let client = 0; client < count; client++) {
      const socket = connect(this.target.port, this.target.host).resume()
      await once(socket, 'close')
    }
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }
}

function shared(library: Libc, descriptor: number): void {
  library.setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, Buffer.from(Int32Array.of(1).buffer), 4)
}

describe.skipIf(process.platform !== 'linux').each(['127.0.0.1', '::1'])('sockets beside one at %s', (host) => {
  const library = libc()!
  let place: Place

  beforeEach(() => {
    place = new Place(library, host)
  })
  afterEach(() => place.close())

  test('each get their share of the clients', async () => {
    const siblings = openSiblings(library, place.first, place.target, BACKLOG, 3)
    for (const descriptor of [place.first, ...siblings]) place.accept(descriptor)
    await place.connect(200)
    // 50 each on average; fewer than 20 once in a hundred million runs.
    expect(place.clients.map((count) => count >= 20)).toEqual([true, true, true, true])
    expect(place.clients.reduce((sum, count) => sum + count)).toBe(200)
  })

  test('leave nothing to a socket that somebody else puts beside them', async () => {
    const siblings = openSiblings(library, place.first, place.target, BACKLOG, 1)
    const stranger = openListeningSocket(library, place.target, BACKLOG, shared)
    for (const descriptor of [place.first, ...siblings, stranger.descriptor]) place.accept(descriptor)
    await place.connect(100)
    expect(place.clients[2]).toBe(0)
    expect(place.clients[0]! + place.clients[1]!).toBe(100)
  })

  test('keep the address taken', () => {
    const siblings = openSiblings(library, place.first, place.target, BACKLOG, 1)
    for (const descriptor of [place.first, ...siblings]) place.accept(descriptor)
    const open = (): unknown => openListeningSocket(library, place.target, BACKLOG)
    expect(open).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }) as Error)
  })

  test('are not there at all when none can be opened, and the first is as before', async () => {
    const before = readdirSync('/proc/self/fd').length
    const failing = { ...library, bind: () => -1 }
    expect(openSiblings(failing, place.first, place.target, BACKLOG, 2)).toEqual([])
    expect(readdirSync('/proc/self/fd').length).toBe(before)
    const open = (): unknown => openListeningSocket(library, place.target, BACKLOG, shared)
    expect(open).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }) as Error)
    place.accept(place.first)
    await place.connect(10)
    expect(place.clients).toEqual([10])
  })

  test('share the clients when fewer can be opened than were asked for, and without the lot', async () => {
    let calls = 0
    const failing: Libc = {
      ...library,
      listen: (descriptor, backlog) => (++calls > 2 ? -1 : library.listen(descriptor, backlog)),
      attachProgram: () => -1,
    }
    const before = readdirSync('/proc/self/fd').length
    const siblings = openSiblings(failing, place.first, place.target, BACKLOG, 5)
    expect([siblings.length, readdirSync('/proc/self/fd').length]).toEqual([2, before + 2])
    for (const descriptor of [place.first, ...siblings]) place.accept(descriptor)
    await place.connect(150)
    expect(place.clients.map((count) => count >= 10)).toEqual([true, true, true])
  })
})

test.skipIf(process.platform !== 'linux')('nobody gets in between while a port is opened that somebody has', () => {
  const library = libc()!
  const first = openListeningSocket(library, { host: '127.0.0.1', port: 0, ipv6Only: true }, BACKLOG, shared)
  const open = (): unknown => openListeningSocket(library, { host: '127.0.0.1', port: first.port, ipv6Only: true }, 1)
  expect(open).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }) as Error)
  closeSync(first.descriptor)
})
