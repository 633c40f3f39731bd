import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { queryStatus } from '../../src/broker/client/query-status.ts'
import type { BrokerStatus } from '../../src/broker/protocol/status.ts'
import { hasSharedMemory } from '../../src/sockets/shared-memory.ts'
import { RawClient } from '../support/raw-client.ts'
import { Site } from './processes.ts'

async function statusOf(site: Site): Promise<BrokerStatus> {
  vi.stubEnv('HTTPSYS_RUNTIME_DIR', site.directory)
  return (await queryStatus())!
}

/** Milliseconds of CPU of the first thread of a process. */
function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/schedstat`, 'utf8')
  return Number(stat.split(' ')[0]) / 1e6
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe.skipIf(!hasSharedMemory())('frames through shared memory, between processes', () => {
  test('carry every request of clients that send many at once to its owner, and each answer back in its place', async () => {
    await using site = new Site(undefined, { HTTPSYS_DELIVERY: 'rings' })
    for (const path of ['/1/', '/2/', '/3/']) await site.listen(path)
    const paths = Array.from({ length: 300 }, (_, index) => `/${(index % 3) + 1}/${index}`)
    const told = await Promise.all(
      Array.from({ length: 8 }, async () => {
        using client = await RawClient.open(site.port)
        for (const path of paths) client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
        await client.until(new RegExp(`owner /3/ ${paths.at(-1)}`))
        return client.text.match(/owner \/\d\/ \/\d\/\d+/g)
      }),
    )
    for (const answers of told) expect(answers).toEqual(paths.map((path) => `owner ${path.slice(0, 3)} ${path}`))
    const status = await statusOf(site)
    expect(status.queues.flatMap(({ owners }) => owners.map(({ delivery }) => delivery))).toEqual(
      Array(3).fill('rings'),
    )
  })

  test('cost nothing while there are none', async () => {
    await using site = new Site(undefined, { HTTPSYS_DELIVERY: 'rings' })
    const { pid } = await site.listen('/1/')
    {
      using client = await RawClient.open(site.port)
      client.write('GET /1/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
      await client.until('owner /1/ /1/x')
    }
    const broker = (await statusOf(site)).pid
    for (const process of [pid, broker]) {
      let before = 0
      const used = (): number => {
        const now = cpuOf(process)
        const spent = now - before
        before = now
        return spent
      }
      // Between two looks; the first one sees all since the process began.
      await expect.poll(used, { interval: 200 }).toBeLessThan(1)
    }
  })
})
