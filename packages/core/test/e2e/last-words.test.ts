import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { ProgramSite } from './programs.ts'
import type { Program } from './programs.ts'

const core = new URL('../../dist/index.js', import.meta.url).href
/** node:net gives no connection to another thread. */
const hasThreads = process.env['HTTPSYS_ENGINE'] !== 'net'

/** A program that serves `/1/` as these lines say, with `createServer` and `listen` at hand. */
async function serve(site: ProgramSite, lines: string, env: NodeJS.ProcessEnv = {}): Promise<Program> {
  const head = `import { createServer } from 'node:http'
    import { prefix } from ${JSON.stringify(core)}
    const listen = (server) => server.listen(prefix('/1/', { holdFor: 0 }), () => console.log('ready'))\n`
  const program = site.run(['--input-type=module', '-e', head + lines], env)
  await program.ready()
  return program
}

/** Status and length of the body; the code of the error, if there was one. */
async function ask(port: number): Promise<string> {
  try {
    const outgoing = request({ host: '127.0.0.1', port, path: '/1/', method: 'POST', agent: false }).end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    let length = 0
    for await (const chunk of response) length += (chunk as Buffer).length
    return `${response.statusCode} ${length}`
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

const COUNT = 40
/** Together far more than a local socket, or a ring, holds. */
const LENGTH = 100_000

describe.each([
  ['sockets', 1],
  ['sockets', 2],
  ['rings', 1],
  ['rings', 2],
])('over %s, with %i threads of the broker', (delivery, threads) => {
  test.skipIf(threads > 1 && !hasThreads).each([
    ['ends by itself', ''],
    ["ends in the callback of the server's close", '() => process.exit()'],
  ])('a process that %s has sent every response', async (_how, onClose) => {
    await using site = await ProgramSite.open()
    const env = { HTTPSYS_DELIVERY: delivery, HTTPSYS_BROKER_THREADS: String(threads) }
    const lines = `
      const held = []
      const server = createServer((request, response) => {
        if (held.push(response) < ${COUNT}) return
        server.close(${onClose})
        for (const response of held) response.end('x'.repeat(${LENGTH}))
      })
      listen(server)`
    const program = await serve(site, lines, env)
    const answers = await Promise.all(Array.from({ length: COUNT }, () => ask(site.port)))
    expect(new Set(answers)).toEqual(new Set([`200 ${LENGTH}`]))
    expect(await program.exit()).toBe(0)
  })
})

test.each(['sockets', 'rings'])(
  'what is sent in the turn in which the process ends leaves, over %s',
  async (delivery) => {
    await using site = await ProgramSite.open()
    const lines = `
    listen(createServer((request, response) => {
      response.end('last words')
      process.exit()
    }))`
    await serve(site, lines, { HTTPSYS_DELIVERY: delivery })
    expect(await ask(site.port)).toBe('200 10')
  },
)
