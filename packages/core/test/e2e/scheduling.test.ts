import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Site } from './processes.ts'
import { ProgramSite } from './programs.ts'

const owner = fileURLToPath(new URL('owners/owner.mjs', import.meta.url))

const SCHED_OTHER = 0
const SCHED_BATCH = 3
const SCHED_IDLE = 5

/** The scheduling policy of a process. */
function policyOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The 41st field; the second, a name, may contain anything.
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38])
}

describe.skipIf(process.platform !== 'linux')('a process that listens on a prefix', () => {
  test('is scheduled in batches, and the broker that it starts is not', async () => {
    await using site = new Site(owner)
    const { pid } = await site.listen('/1/')
    expect(policyOf(pid)).toBe(SCHED_BATCH)
    const [first] = site.brokers()
    expect(policyOf(first!)).toBe(SCHED_OTHER)
    process.kill(first!, 'SIGKILL')
    await expect.poll(() => site.brokers().filter((broker) => broker !== first)).toHaveLength(1)
    // It has read what its owner claims: it has begun.
    await expect.poll(async () => (await site.status()).queues.length).toBe(1)
    expect(site.brokers().map(policyOf)).toEqual([SCHED_OTHER])
  })

  test('is left alone with HTTPSYS_SCHEDULING=unchanged', async () => {
    await using site = new Site(owner, { HTTPSYS_SCHEDULING: 'unchanged' })
    const { pid } = await site.listen('/1/')
    expect(policyOf(pid)).toBe(SCHED_OTHER)
  })

  test('keeps a policy that it was started with', async () => {
    await using site = await ProgramSite.open()
    const { child } = site.run(['-i', '0', process.execPath, owner, '/1/'], {}, 'chrt')
    await expect.poll(() => site.brokers().length).toBe(1)
    await expect.poll(async () => (await site.status()).queues.length).toBe(1)
    expect(policyOf(child.pid!)).toBe(SCHED_IDLE)
  })

  test('is told of a value of HTTPSYS_SCHEDULING that means nothing', async () => {
    await using site = new Site(owner, { HTTPSYS_SCHEDULING: 'realtime' })
    const { code, message } = await site.start('/1/').next('error')
    expect(code).toBe('EINVAL')
    expect(message).toMatch(/HTTPSYS_SCHEDULING.*"realtime".*batch or unchanged/)
  })
})
