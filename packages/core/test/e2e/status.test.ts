import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { BrokerStatus } from '../../src/broker/protocol/status.ts'
import { RawClient } from '../support/raw-client.ts'
import { Site } from './processes.ts'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** What `httpsys …` prints. */
async function httpsys(site: Site, ...args: string[]): Promise<string> {
  const env = { ...process.env, HTTPSYS_RUNTIME_DIR: site.directory }
  return (await promisify(execFile)(process.execPath, [cli, ...args], { env })).stdout
}

test('httpsys status shows the broker, its prefixes with their processes, and what it answered by itself', async () => {
  // A prefix waits for its next owner for as long as the test may take to look.
  const env = { HTTPSYS_QUEUE_LENGTH: '7', HTTPSYS_MAX_FIELD_LENGTH: '5000', HTTPSYS_HOLD_FOR: '60000' }
  await using site = new Site(undefined, env)
  const [one, two] = [await site.listen('/1/'), await site.listen('/2/', 'attach')]
  using client = await RawClient.open(site.port)
  client.write('GET /1/x HTTP/1.1\r\nHost: localhost\r\n\r\nGET /no HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await client.until('NotFound')
  const found = JSON.parse(await httpsys(site, 'status', '--json')) as BrokerStatus
  expect(found).toMatchObject({
    pid: site.brokers()[0],
    engine: process.env['HTTPSYS_ENGINE'] ?? (process.platform === 'linux' ? 'uring' : 'net'),
    node: process.version,
    connections: 1,
    ports: [{ port: site.port, addresses: expect.arrayContaining(['127.0.0.1']) as string[] }],
    reasons: { NotFound: 1 },
    limits: { maxFieldLength: 5000, maxRequestBytes: 16_384 },
  })
  expect(found.queues).toMatchObject([
    { prefix: `http://localhost:${site.port}/1/`, state: 'serving', requests: 1, connections: 1, waiting: 0 },
    { prefix: `http://localhost:${site.port}/2/`, state: 'serving', requests: 0, settings: { queueLength: 7 } },
  ])
  expect(found.queues.map(({ owners }) => owners)).toMatchObject([
    [{ pid: one.pid, mode: 'create', queuedBytes: 0 }],
    [{ pid: two.pid, mode: 'attach' }],
  ])
  await one.kill()
  // Only then does what is asked wait without having been given to the process that died.
  await expect.poll(() => httpsys(site, 'status')).toMatch(/\/1\/ +none now/)
  client.write('GET /1/x HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await expect
    .poll(() => httpsys(site, 'status'))
    .toMatch(
      new RegExp(`PREFIX +OWNERS.*\\n.*/1/ +none now +1 +0 +1 +1\\n.*/2/ +${two.pid} +0 +0 +0 +0\\n[^]*NotFound +1\\n`),
    )
})

test('httpsys status without a broker says so', async () => {
  await using site = new Site()
  expect(await httpsys(site, 'status')).toBe('no broker runs\n')
  expect(JSON.parse(await httpsys(site, 'status', '--json'))).toBeNull()
  await expect(httpsys(site, 'status', '--loud')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--loud/) as string,
  })
})
