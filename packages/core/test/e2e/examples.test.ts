import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ProgramSite } from './programs.ts'

const examples = new URL('../../../../examples/', import.meta.url)
/** So that a slow start costs no request; two seconds otherwise. */
const PATIENT = { HTTPSYS_HOLD_FOR: '60000' }
const CLIENTS = 8

/** Asks all the time, on connections that are kept; the function that it returns stops that, and tells how often what was answered. */
function ask(url: string): () => Promise<Record<string, number>> {
  const answers: Record<string, number> = {}
  let isOver = false
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (!isOver) {
      const answer = await fetch(url).then(
        async (response) => `${response.status} ${(await response.text()) === '' ? 'empty' : 'whole'}`,
        (error: Error & { cause?: Error }) => (error.cause ?? error).message,
      )
      answers[answer] = (answers[answer] ?? 0) + 1
    }
  })
  return async () => {
    isOver = true
    await Promise.all(clients)
    return answers
  }
}

const PROGRAMS: [script: string, prefix: string, path: string, argument?: string][] = [
  ['express-migration/after.js', '/shop/', 'visits/ada'],
  ['koa/app.js', '/a/', 'notes'],
  ['fastify/app.js', '/a/', 'scores'],
  ['nestjs/app.js', '/nest/', 'rooms/lobby'],
  ['plain-http/counter.js', '/a/', ''],
  ['chat/dist/room-server.js', '/1/', 'status', '1'],
]

test.each(PROGRAMS)(
  '%s is replaced after SIGTERM without a request that fails',
  async (script, prefix, path, argument = prefix) => {
    await using site = await ProgramSite.open()
    const start = () => site.run([fileURLToPath(new URL(script, examples)), argument], PATIENT)
    const listens = /ready|listening|pid/
    const first = start()
    await expect.poll(() => first.output, { timeout: 60_000 }).toMatch(listens)
    const stop = ask(`${site.base}${prefix}${path}`)
    expect(await first.end()).toBe(0)
    const second = start()
    await expect.poll(() => second.output, { timeout: 60_000 }).toMatch(listens)
    expect(await second.end()).toBe(0)
    const third = start()
    await expect.poll(() => third.output, { timeout: 60_000 }).toMatch(listens)
    const answers = await stop()
    expect(Object.keys(answers)).toEqual(['200 whole'])
    expect(answers['200 whole']).toBeGreaterThan(CLIENTS)
  },
)

test.each(PROGRAMS)(
  '%s lets requests wait for a successor, too, where nothing is set',
  async (script, prefix, path, argument = prefix) => {
    await using site = await ProgramSite.open()
    const first = site.run([fileURLToPath(new URL(script, examples)), argument], { HTTPSYS_HOLD_FOR: undefined })
    await expect.poll(() => first.output).toMatch(/ready|listening|pid/)
    expect(await first.end()).toBe(0)
    // None comes: with `close()` the prefix would be nobody's, and this 404.
    expect((await fetch(`${site.base}${prefix}${path}`)).status).toBe(503)
  },
)

test.each([
  ['fastify/app.js', 'scores'],
  ['plain-http/counter.js', ''],
])(
  '%s leaves by itself when another process takes its prefix over, without a request that fails',
  async (script, path) => {
    await using site = await ProgramSite.open()
    const start = (mode: string) => site.run([fileURLToPath(new URL(script, examples)), '/a/'], { HTTPSYS_MODE: mode })
    const first = start('create')
    await first.ready()
    const stop = ask(`${site.base}/a/${path}`)
    const second = start('takeover')
    await second.ready()
    expect(await first.exit()).toBe(0)
    expect(Object.keys(await stop())).toEqual(['200 whole'])
  },
)
