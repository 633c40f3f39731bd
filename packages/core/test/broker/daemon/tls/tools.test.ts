import { randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isInstalled, run, runUntil } from '../../../support/other-programs.ts'
import { Http2Site } from '../../../support/http2-site.ts'

/** A site whose authority other programs find in a file. */
async function openSite(): Promise<{ site: Http2Site; authority: string; url: (path: string) => string }> {
  const site = await Http2Site.open()
  for (const name of ['/1/', '/2/', '/3/']) {
    await site.serve(name, (request, response) => {
      if (request.method === 'POST') return void request.pipe(response)
      response.end(`${name} HTTP/${request.httpVersion}`)
    })
  }
  const authority = join(site.fixture.directory, 'authority.pem')
  writeFileSync(authority, site.ca)
  return { site, authority, url: (path) => `https://localhost:${site.port}${path}` }
}

/** `apt-get install curl nghttp2-client openssl`; .ci/run does. */
describe.skipIf(!isInstalled('curl'))('curl (skipped where it is not installed)', () => {
  test('speaks HTTP/2 and HTTP/1.1, with a certificate that it trusts', async () => {
    const { site, authority, url } = await openSite()
    await using _site = site
    const ask = (...args: string[]) =>
      run('curl', ['-sS', '--cacert', authority, '-w', ' %{http_version} %{http_code}', ...args])
    expect((await ask('--http2', url('/2/'))).stdout).toBe('/2/ HTTP/2.0 2 200')
    expect((await ask('--http1.1', url('/2/'))).stdout).toBe('/2/ HTTP/1.1 1.1 200')
    expect((await ask('--http2', '--head', '-o', '/dev/null', url('/2/'))).stdout).toBe(' 2 200')
    const parallel = await ask(
      '--http2',
      '-Z',
      ...Array.from({ length: 20 }, (_, index) => url(`/${(index % 3) + 1}/`)),
    )
    // Bodies and what -w writes come in any order.
    for (const piece of [/\/[123]\/ HTTP\/2\.0/g, / 2 200/g]) expect(parallel.stdout.match(piece)).toHaveLength(20)
    const untrusted = await run('curl', ['-sS', url('/2/')])
    expect(untrusted.code).toBe(60)
  })

  test('uploads and downloads megabytes over HTTP/2', async () => {
    const { site, authority, url } = await openSite()
    await using _site = site
    const body = randomBytes(5_000_000)
    const { stdout } = await run(
      'curl',
      ['-sS', '--cacert', authority, '--http2', '--data-binary', '@-', url('/2/')],
      body,
    )
    expect(Buffer.from(stdout, 'latin1').equals(body)).toBe(true)
  })
})

describe.skipIf(!isInstalled('nghttp'))("nghttp2's clients (skipped where they are not installed)", () => {
  test('nghttp asks for several owners at once, with trailers and padding', async () => {
    const { site, url } = await openSite()
    await using _site = site
    const file = join(site.fixture.directory, 'body')
    writeFileSync(file, 'x'.repeat(70_000))
    const { stdout } = await run('nghttp', ['-nv', '--padding=100', '-m', '4', url('/1/'), url('/2/'), url('/3/')])
    expect(stdout.match(/:status: 200/g)).toHaveLength(12)
    expect(stdout).not.toMatch(/RST_STREAM|error_code=(?!NO_ERROR)/)
    const upload = await run('nghttp', ['-v', '-d', file, '--trailer', 'x-sum: 1', '--data', file, url('/2/')])
    expect(upload.stdout).toMatch(/:status: 200/)
  })

  test('h2load gets ten thousand answers over a hundred streams a connection, none failed', async () => {
    const { site, url } = await openSite()
    await using _site = site
    const { stdout } = await run('h2load', ['-n', '10000', '-c', '4', '-m', '100', url('/1/'), url('/2/'), url('/3/')])
    expect(stdout).toMatch(/10000 total, 10000 started, 10000 done, 10000 succeeded, 0 failed, 0 errored, 0 timeout/)
    expect(stdout).toMatch(/10000 2xx/)
    expect(site.fixture.broker.status().reasons).toEqual({})
  })
})

describe.skipIf(!isInstalled('openssl'))('openssl s_client (skipped where it is not installed)', () => {
  test('sees TLS 1.3, the chain, and what ALPN has chosen', async () => {
    const { site, authority } = await openSite()
    await using _site = site
    const connect = ['s_client', '-connect', `localhost:${site.port}`, '-servername', 'localhost', '-CAfile', authority]
    const isDone = (text: string): boolean => /Verify return code: \d+.*\n|alert/.test(text)
    const http2 = await runUntil('openssl', [...connect, '-alpn', 'h2,http/1.1'], isDone)
    expect(http2).toContain('ALPN protocol: h2')
    expect(http2).toContain('TLSv1.3')
    expect(http2).toContain('Verify return code: 0 (ok)')
    const http1 = await runUntil('openssl', [...connect, '-alpn', 'http/1.1', '-tls1_2'], isDone)
    expect(http1).toContain('ALPN protocol: http/1.1')
    expect(http1).toContain('TLSv1.2')
    expect(http1).toContain('Secure Renegotiation IS supported')
    const nothing = await runUntil('openssl', [...connect, '-alpn', 'spdy/3'], isDone)
    expect(nothing).toMatch(/no application protocol|No ALPN negotiated/i)
  })

  test('is refused with what is too old or too weak', async () => {
    const { site } = await openSite()
    await using _site = site
    const connect = ['s_client', '-connect', `localhost:${site.port}`]
    for (const args of [['-tls1_1'], ['-tls1'], ['-tls1_2', '-cipher', 'NULL:aNULL:RC4:3DES:@SECLEVEL=0']]) {
      const { code, stdout } = await run('openssl', [...connect, ...args, '-brief'])
      expect(code).not.toBe(0)
      expect(stdout).not.toContain('CONNECTION ESTABLISHED')
    }
  })

  test('resumes its session', async () => {
    const { site, authority } = await openSite()
    await using _site = site
    const session = join(site.fixture.directory, 'session.pem')
    const connect = ['s_client', '-connect', `localhost:${site.port}`, '-servername', 'localhost', '-CAfile', authority]
    await runUntil('openssl', [...connect, '-sess_out', session], () => existsSync(session))
    const again = await runUntil('openssl', [...connect, '-sess_in', session], (text) =>
      /Verify return code/.test(text),
    )
    expect(again).toMatch(/^Reused, TLSv1.3/m)
  })
})
