import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Journal } from './journal.ts'
import type { Random } from './random.ts'
import type { Site } from './site.ts'

/** Everything that a fault needs. */
export interface Scene {
  readonly site: Site
  readonly journal: Journal
  readonly random: Random
  readonly prefixes: readonly string[]
}

/** Does harm, and returns when it is over. */
type Fault = (scene: Scene) => Promise<void>

/** Faults by name; the journal is told what each of them may cost. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  async 'owner killed'({ site, journal, random, prefixes }) {
    const prefix = random.pick(prefixes)
    const window = journal.open('owner killed', prefix, ['cut', 'closed'])
    await kill(site, prefix)
    await site.start(prefix)
    await site.serving()
    journal.close(window)
  },

  async 'owner taken over'({ site, journal, random, prefixes }) {
    const prefix = random.pick(prefixes)
    const old = site.owners.get(prefix)!
    const gone = once(old, 'exit')
    const window = journal.open('owner taken over', prefix, ['closed'])
    await site.start(prefix, 'takeover')
    await gone
    journal.close(window)
  },

  async 'owner retired'({ site, journal, random, prefixes }) {
    const prefix = random.pick(prefixes)
    const old = site.owners.get(prefix)!
    const gone = once(old, 'exit')
    const window = journal.open('owner retired', prefix, ['closed'])
    old.kill('SIGTERM')
    await site.start(prefix)
    await gone
    journal.close(window)
  },

  async 'owner stopped'({ site, journal, random, prefixes }) {
    const owner = site.owners.get(random.pick(prefixes))!
    const window = journal.open('owner stopped', null, [])
    owner.kill('SIGSTOP')
    await delay(random.integer(50, 800))
    owner.kill('SIGCONT')
    journal.close(window)
  },

  async 'owner’s event loop blocked'({ site, journal, random, prefixes }) {
    const window = journal.open('owner’s event loop blocked', null, [])
    const { pid } = site.owners.get(random.pick(prefixes))!
    await site.give(pid!, { kind: 'block', milliseconds: random.integer(50, 500) })
    journal.close(window)
  },

  async 'broker killed'({ site, journal }) {
    const window = journal.open('broker killed', null, ['cut'])
    process.kill(site.brokerPid()!, 'SIGKILL')
    await site.serving()
    journal.close(window)
  },

  async 'broker upgraded'({ site, journal }) {
    const window = journal.open('broker upgraded', null, [])
    await site.upgradeBroker()
    journal.close(window)
  },

  async 'broker stopped'({ site, journal, random }) {
    const pid = site.brokerPid()!
    const window = journal.open('broker stopped', null, [])
    process.kill(pid, 'SIGSTOP')
    await delay(random.integer(50, 500))
    process.kill(pid, 'SIGCONT')
    journal.close(window)
  },

  /** Unlike one that is stopped, its other threads go on. */
  async 'broker’s event loop blocked'({ site, journal, random }) {
    const window = journal.open('broker’s event loop blocked', null, [])
    await site.give(site.brokerPid()!, { kind: 'block', milliseconds: random.integer(50, 500) })
    journal.close(window)
  },

  async 'frames cut and forged on the local socket'({ site, journal, random }) {
    const window = journal.open('frames cut and forged on the local socket', null, [])
    for (let count = 0; count < 10; count++) {
      const socket = await open(site.socketPath!)
      const bytes = Buffer.from(Array.from({ length: random.integer(1, 60) }, () => random.integer(0, 255)))
      // Half of them say HELLO first.
      if (random.next() < 0.5) socket.write(hello())
      socket.write(bytes)
      await delay(random.integer(0, 5))
      socket.destroy()
    }
    journal.close(window)
  },

  async 'clients cut in the middle'({ site, journal, random, prefixes }) {
    const window = journal.open('clients cut in the middle', null, [])
    const text = `PUT ${random.pick(prefixes)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}`
    for (let count = 0; count < 20; count++) {
      const socket = await open(site.port)
      socket.write(text.slice(0, random.integer(1, text.length)))
      await delay(random.integer(0, 5))
      if (random.next() < 0.5) socket.resetAndDestroy()
      else socket.destroy()
    }
    journal.close(window)
  },

  async 'queue filled'({ site, journal, random, prefixes }) {
    const prefix = random.pick(prefixes)
    const window = journal.open('queue filled', prefix, ['refused', 'closed', 'cut'])
    await kill(site, prefix)
    const sockets: Socket[] = []
    // More than the queue holds; the others are told so at once.
    for (let count = 0; count < 80; count++) {
      const socket = await open(site.port)
      sockets.push(socket)
      socket.write(`GET ${prefix}?number=0&size=1 HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    }
    await delay(random.integer(50, 200))
    await site.start(prefix)
    await site.serving()
    for (const socket of sockets) socket.destroy()
    journal.close(window)
  },

  async 'descriptors used up'({ site, journal, random }) {
    const window = journal.open('descriptors used up', null, ['cut'])
    const sockets: Socket[] = []
    for (let count = 0; count < 500; count++) {
      const socket = connect(site.port, '127.0.0.1')
      socket.on('error', () => {})
      sockets.push(socket)
      if (count % 50 === 0) await delay(5)
    }
    await delay(random.integer(50, 300))
    for (const socket of sockets) socket.destroy()
    await site.serving()
    journal.close(window)
  },
}

async function kill(site: Site, prefix: string): Promise<void> {
  const owner = site.owners.get(prefix)!
  const gone = once(owner, 'exit')
  owner.kill('SIGKILL')
  await gone
}

async function open(target: string | number): Promise<Socket> {
  const socket = typeof target === 'string' ? connect(target) : connect(target, '127.0.0.1')
  socket.on('error', () => {})
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  return socket
}

/** `docs/broker-protocol.md`: HELLO of version 1. */
function hello(): Buffer {
  const payload = Buffer.from(`HSYS 1 ${process.pid}`)
  const frame = Buffer.alloc(12 + payload.length)
  frame.writeUInt32LE(frame.length, 0)
  frame[4] = 1
  payload.copy(frame, 12)
  return frame
}
