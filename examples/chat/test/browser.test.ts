import { execFileSync } from 'node:child_process'
import { X509Certificate, createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Page, chromium } from './support/browser.ts'
import { Program } from './support/program.ts'

const cli = fileURLToPath(new URL('../../../packages/core/dist/cli/main.js', import.meta.url))

/** A directory with a certificate for development, made as its reader would make it; and its key, in Chromium's form. */
function certify(): { directory: string; key: string; [Symbol.dispose](): void } {
  const directory = mkdtempSync(join(tmpdir(), 'httpsys-chat-config-'))
  const env = { ...process.env, HTTPSYS_CONFIG_DIR: directory }
  const text = execFileSync(process.execPath, [cli, 'add', 'sslcert', '--self-signed'], { env, encoding: 'utf8' })
  const [, path] = /curl --cacert (\S+)/.exec(text)!
  const { publicKey } = new X509Certificate(readFileSync(path!))
  const key = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64')
  return { directory, key, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) }
}

/** `apt-get install chromium`; .ci/run does. */
describe.skipIf(chromium === undefined)('Chromium (skipped where it is not installed)', () => {
  test.each([
    ['HTTP/2', {}, 'h2', 200],
    ['HTTP/1.1', { HTTPSYS_HTTP2: 'off' }, 'http/1.1', 101],
  ] as const)(
    'loads the chat over HTTPS and %s, and talks in two rooms of two processes',
    async (_name, env, protocol, handshakeStatus) => {
      using certificate = certify()
      await using chat = new Program('launch.js', [], {
        HTTPSYS_BASE: 'https://localhost:0',
        HTTPSYS_CONFIG_DIR: certificate.directory,
        CHAT_PROCESSES: '2',
        ...env,
      })
      const [, port] = await chat.until(/processes share port (\d+)/)
      for (const number of [1, 2]) {
        await using page = await Page.open(certificate.key)
        const url = `https://localhost:${port}/${number}/lobby`
        await page.goto(url)
        await expect.poll(() => page.evaluate('document.readyState')).toBe('complete')
        expect(await page.evaluate('location.href')).toMatch(url)
        // The page, and all that it has loaded from there.
        const protocols = await page.evaluate(
          `performance.getEntries().filter((entry) => 'nextHopProtocol' in entry).map((entry) => entry.nextHopProtocol)`,
        )
        expect(protocols).toContain(protocol)
        expect(new Set(protocols as string[])).toEqual(new Set([protocol]))
        const text = `hello, process ${number}`
        // Who is there comes over the WebSocket.
        await expect.poll(() => page.evaluate(`document.querySelectorAll('.people li').length`)).toBe(1)
        await page.evaluate(`document.querySelector('.compose textarea').focus()`)
        await page.type(text)
        const log = () => page.evaluate(`document.querySelector('.log').innerText`)
        await expect.poll(log).toContain(text)
        // 200 is the answer to extended CONNECT (RFC 8441).
        expect(page.handshakes.map(({ status }) => status)).toEqual([handshakeStatus])
      }
    },
  )

  test('does not load it without trust in its certificate', async () => {
    using certificate = certify()
    await using chat = new Program('launch.js', [], {
      HTTPSYS_BASE: 'https://localhost:0',
      HTTPSYS_CONFIG_DIR: certificate.directory,
      CHAT_PROCESSES: '1',
    })
    const [, port] = await chat.until(/has port (\d+)/)
    await using page = await Page.open('none')
    await expect(page.goto(`https://localhost:${port}/1/lobby`)).rejects.toThrow('ERR_CERT_AUTHORITY_INVALID')
  })
})
