import { once } from 'node:events'
import { mkdtemp, readdir, rm, unlink, writeFile } from 'node:fs/promises'
import type * as FsPromises from 'node:fs/promises'
import { createServer } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { connectToBroker, currentSocketPath, publish } from '../../../src/broker/rendezvous/generations.ts'

/** What happens to others right before a call of the publisher under test. */
const before = vi.hoisted(() => ({ link: undefined, unlink: undefined }) as Record<'link' | 'unlink', undefined | Hook>)
type Hook = (path: string) => Promise<unknown>

vi.mock('node:fs/promises', async (importOriginal) => {
  const original = await importOriginal<typeof FsPromises>()
  const run = async (name: 'link' | 'unlink', path: string): Promise<void> => {
    const hook = before[name]
    before[name] = undefined
    await hook?.(path)
  }
  return {
    ...original,
    link: async (from: string, to: string) => {
      await run('link', to)
      return original.link(from, to)
    },
    unlink: async (path: string) => {
      await run('unlink', path)
      return original.unlink(path)
    },
  }
})

let directory = ''
const servers: Server[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'httpsys-gen-'))
})

afterEach(async () => {
  before.link = before.unlink = undefined
  for (const server of servers.splice(0)) server.close()
  await rm(directory, { recursive: true, force: true })
})

/** A broker that has not been published. */
async function startServer(): Promise<{ server: Server; path: string }> {
  const path = join(directory, `private-${servers.length}`)
  const server = createServer((socket) => socket.destroy()).listen(path)
  servers.push(server)
  await once(server, 'listening')
  return { server, path }
}

/** A broker that has been the current one. */
async function publishAnother(): Promise<{ server: Server; name: string }> {
  const { server, path } = await startServer()
  const published = await publish(directory, path)
  if (published === undefined) throw new Error('another broker is alive')
  return { server, name: basename(published) }
}

async function stop(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}

async function published(): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith('broker-')).sort()
}

describe('publish', () => {
  test('takes the first number in an empty directory', async () => {
    const { path } = await startServer()
    expect(await publish(directory, path)).toBe(join(directory, 'broker-1.sock'))
    expect(await currentSocketPath(directory)).toBe(join(directory, 'broker-1.sock'))
  })

  test('gives way to a broker that is alive', async () => {
    await publishAnother()
    const { path } = await startServer()
    expect(await publish(directory, path)).toBeUndefined()
    expect(await published()).toEqual(['broker-1.sock'])
  })

  test('takes the next number after a broker that has died, and clears up', async () => {
    for (const number of [1, 2, 3]) {
      const { server, name } = await publishAnother()
      expect(name).toBe(`broker-${number}.sock`)
      expect(await published()).toEqual([name])
      await stop(server)
    }
    expect(await published()).toEqual(['broker-3.sock'])
  })

  test.each(['broker-7.sock', 'broker-000007.sock'])('counts on from a stale file called %s', async (name) => {
    await writeFile(join(directory, name), '')
    expect((await publishAnother()).name).toBe('broker-8.sock')
    expect(await published()).toEqual(['broker-8.sock'])
  })

  test('does not mind other files', async () => {
    const others = ['broker-.sock', 'broker-9.sock.old', 'broker-x.sock', 'broker.log', 'my-broker-9.sock', 'starting']
    for (const name of others) await writeFile(join(directory, name), '')
    expect((await publishAnother()).name).toBe('broker-1.sock')
    expect(await readdir(directory)).toEqual(expect.arrayContaining(others))
  })

  test('compares numbers as numbers', async () => {
    for (const name of ['broker-9.sock', 'broker-10.sock']) await writeFile(join(directory, name), '')
    expect((await publishAnother()).name).toBe('broker-11.sock')
  })

  test.each([0, 1])('lets exactly one of eight win that start together, after %i that died', async (dead) => {
    for (let round = 0; round < 10; round++) {
      for (let index = 0; index < dead; index++) await stop((await publishAnother()).server)
      const candidates = await Promise.all(Array.from({ length: 8 }, () => startServer()))
      const paths = await Promise.all(candidates.map(({ path }) => publish(directory, path)))
      const winners = paths.filter((path) => path !== undefined)
      expect(winners).toHaveLength(1)
      expect(await published()).toEqual([basename(winners[0]!)])
      expect(await currentSocketPath(directory)).toBe(winners[0])
      await Promise.all(candidates.map(({ server }) => stop(server)))
    }
  })

  test('gives way when another one was faster', async () => {
    const { path } = await startServer()
    before.link = () => publishAnother()
    expect(await publish(directory, path)).toBeUndefined()
    expect(await published()).toEqual(['broker-1.sock'])
  })

  test('tries again when the faster one has died', async () => {
    const { path } = await startServer()
    before.link = async () => stop((await publishAnother()).server)
    expect(await publish(directory, path)).toBe(join(directory, 'broker-2.sock'))
    expect(await published()).toEqual(['broker-2.sock'])
  })

  test('can not win with a number that it found free long ago', async () => {
    const { path } = await startServer()
    before.link = async () => {
      // Number 1 was used and cleared up meanwhile.
      await stop((await publishAnother()).server)
      await publishAnother()
    }
    expect(await publish(directory, path)).toBeUndefined()
    expect(await published()).toEqual(['broker-2.sock'])
    expect(await currentSocketPath(directory)).toBe(join(directory, 'broker-2.sock'))
  })

  test('is not confused when others clear its useless number up', async () => {
    const { path } = await startServer()
    before.link = async () => {
      await stop((await publishAnother()).server)
      await publishAnother()
      before.unlink = (useless) => unlink(useless)
    }
    expect(await publish(directory, path)).toBeUndefined()
    expect(await published()).toEqual(['broker-2.sock'])
  })

  test('tells of a directory that is gone', async () => {
    const { path } = await startServer()
    await expect(publish(join(directory, 'missing'), path)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(publish(directory, `${path}-missing`)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('connectToBroker', () => {
  test('reaches the broker that was published last', async () => {
    await stop((await publishAnother()).server)
    const { server } = await publishAnother()
    const accepted = once(server, 'connection')
    const socket = await connectToBroker(directory, {})
    await accepted
    expect(socket?.listenerCount('error')).toBe(0)
    socket?.destroy()
  })

  test('finds nothing where no broker ever ran', async () => {
    expect(await connectToBroker(directory, {})).toBeUndefined()
    expect(await currentSocketPath(directory)).toBeUndefined()
  })

  test('finds nothing where the broker has died', async () => {
    await stop((await publishAnother()).server)
    expect(await connectToBroker(directory, {})).toBeUndefined()
  })
})
