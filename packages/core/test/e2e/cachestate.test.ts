import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { CachedSite, numbered } from '../support/cached-site.ts'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

/** What `httpsys …` prints. */
async function httpsys(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [cli, ...args])).stdout
}

test('httpsys shows what is cached, and has it forgotten', async () => {
  await using site = await CachedSite.open(numbered(['Vary', 'Accept']))
  await site.ask('/2/a')
  await site.ask('/2/a')
  await site.ask('/2/b')
  const text = await httpsys('show', 'cachestate')
  expect(text).toMatch(
    /^cache: 2 responses in \d+ of 67108864 bytes, 1 hits, 1 misses, 0 waits, 0 evicted, 0 flushed\n/,
  )
  expect(text).toMatch(new RegExp(`^http://localhost/2/a +200 +8 +\\d+ s +\\d+ s +1 +accept +${process.pid}$`, 'm'))
  expect(await httpsys('status')).toMatch(/CACHED[^]*\n.* 2 +1 +0 +\d+\n[^]*cache: 2 responses/)
  expect(
    JSON.parse(await httpsys('show', 'cachestate', `url=http://localhost:${site.port}/2/a`, '--json')),
  ).toMatchObject({ total: 1, responses: [{ url: 'http://localhost/2/a' }] })
  expect(await httpsys('delete', 'cache', `url=http://localhost:${site.port}/2/a`)).toBe('1 response forgotten\n')
  expect(await httpsys('delete', 'cache')).toBe('1 response forgotten\n')
  expect(site.cache.responses).toBe(0)
  await expect(httpsys('delete', 'cache', '/2/')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('write url=URL') as string,
  })
  await expect(httpsys('show', 'cachestate', 'url=/2/')).rejects.toMatchObject({
    stderr: expect.stringContaining('url=http://localhost:8080/2/') as string,
  })
})

test('without a broker there is no cache', async () => {
  const env = { ...process.env, HTTPSYS_RUNTIME_DIR: '/nonexistent/httpsys' }
  const run = promisify(execFile)
  expect((await run(process.execPath, [cli, 'show', 'cachestate'], { env })).stdout).toBe('no broker runs\n')
  expect(JSON.parse((await run(process.execPath, [cli, 'show', 'cachestate', '--json'], { env })).stdout)).toBeNull()
})
