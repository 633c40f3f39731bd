import { expect, test } from 'vitest'
import { ProgramSite } from './programs.ts'

const core = new URL('../../dist/index.js', import.meta.url).href

/** What a program prints that runs these lines with `createServer`, `prefix`, `once` and `log` at hand, until it ends by itself. */
async function outputOf(lines: string): Promise<string> {
  await using site = await ProgramSite.open()
  const head = `import { createServer } from 'node:http'
    import { once } from 'node:events'
    import { prefix } from ${JSON.stringify(core)}
    const log = console.log\n`
  const program = site.run(['--input-type=module', '-e', head + lines], {})
  expect(await program.exit()).toBe(0)
  expect(program.errors).toBe('')
  return program.output
}

test('a process ends when its last server has closed', async () => {
  const output = await outputOf(`
    const server = createServer().listen(prefix('/a/'), () => server.close(() => log('closed')))`)
  expect(output).toBe('closed\n')
})

test("a process ends when its only server is unref'd, before or after listen", async () => {
  const output = await outputOf(`
    createServer().unref().listen(prefix('/a/'))
    createServer().listen(prefix('/b/')).unref()`)
  expect(output).toBe('')
})

test("close of an unref'd server is waited for", async () => {
  const output = await outputOf(`
    const server = createServer().listen(prefix('/a/'), () => {
      server.unref()
      server.close(() => log('closed'))
    })`)
  expect(output).toBe('closed\n')
})

test("a server keeps the process alive beside an unref'd one", async () => {
  const output = await outputOf(`
    const first = createServer().listen(prefix('/a/'))
    await once(first, 'listening')
    first.unref()
    const second = createServer().listen(prefix('/b/'))
    await once(second, 'listening')
    log('listening')
    second.close(() => log('closed'))`)
  expect(output).toBe('listening\nclosed\n')
})
