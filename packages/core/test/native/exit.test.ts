import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const CHILD = fileURLToPath(new URL('./exit/child.mjs', import.meta.url))
/** How long it takes to say that a process does not end. */
const STUCK_MS = 3000

/** A process with sixteen receives outstanding and a thread that waits for their completions, which are never to come. */
async function endOf(way: string, mode = ''): Promise<{ said: string; code: number | null; signal: string | null }> {
  const child = spawn(process.execPath, [CHILD, way, mode], { stdio: ['ignore', 'pipe', 'ignore'] })
  const said = text(child.stdout)
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return { said: await said, code, signal }
}

test.each([
  ['process.exit', { code: 3, signal: null }],
  ['an exception', { code: 1, signal: null }],
  ['a rejection', { code: 1, signal: null }],
  ['a signal', { code: null, signal: 'SIGTERM' }],
  ['shutdown', { code: 0, signal: null }],
  ['unref', { code: 0, signal: null }],
])('a process with receives outstanding ends by %s', async (way, expected) => {
  expect(await endOf(way)).toEqual({ said: '16 receives outstanding\n', ...expected })
})

test.each([
  ['process.exit', 3],
  ['an exception', 1],
])('a worker thread with receives outstanding ends by %s, and gives its prefix back', async (way, code) => {
  const child = spawn(process.execPath, [CHILD, way, 'worker'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const said = text(child.stdout)
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(await said).toBe(
    `16 receives outstanding\nremoved 3 URLs, closed 1 queues, 1 groups\nthe thread ended with ${code}\n`,
  )
})

test.each([
  ['that nothing ends', 'nothing', ''],
  ['whose waiting thread can not be woken', 'process.exit', 'deaf'],
])('a process stays %s', async (_, way, mode) => {
  const child = spawn(process.execPath, [CHILD, way, mode], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  const left = await Promise.race([
    once(child, 'exit'),
    new Promise((resolve) => setTimeout(resolve, STUCK_MS, 'stays')),
  ])
  child.kill('SIGKILL')
  expect(left).toBe('stays')
})
