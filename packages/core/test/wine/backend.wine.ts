import { readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { describe, expect, test } from 'vitest'
import { NODE_MAJORS } from '../../../../tools/wine/directory.ts'
import { ask, leave } from './ask.ts'
import { WineSite } from './wine-site.ts'

describe.each(NODE_MAJORS)('httpsys on node.exe %i under Wine', (major) => {
  test('serves two processes on one port, request by request on one keep-alive connection', async () => {
    await using site = await WineSite.open(major)
    await site.listen('owners/plain.mjs', ['/1/'])
    await site.listen('owners/plain.mjs', ['/2/'])
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const answers = []
    for (const path of ['/1/a', '/2/b', '/2/c?d=e', '/1/f', '/2/g'])
      answers.push(await ask(site.base + path, { agent }))
    agent.destroy()
    expect(answers.map(({ text }) => text)).toEqual([
      '/1/ answers GET /1/a',
      '/2/ answers GET /2/b',
      '/2/ answers GET /2/c?d=e',
      '/1/ answers GET /1/f',
      '/2/ answers GET /2/g',
    ])
    expect(new Set(answers.map(({ localPort }) => localPort)).size).toBe(1)
  })

  test('asks Windows who runs it, what an NTSTATUS is, and whether a text is a security descriptor', async () => {
    await using site = await WineSite.open(major)
    const owner = site.start('owners/system.mjs', [
      '0xc0000120',
      '0x80000005',
      '0xc0000241',
      '0xc000009a',
      '0xe0000001',
    ])
    const { account, codes, refusal, descriptor } = await owner.next('system')
    expect(account).toMatch(/^[^\\]+\\[^\\]+$/)
    expect(codes).toEqual([995, 234, 1236, 1450, expect.any(Number)])
    expect(refusal).toMatch(/EINVAL nonsense: .*security descriptor/)
    expect(descriptor).toBe('made')
  })

  test.each(['exit', 'terminate'])('lets a worker thread that serves end by %s', async (way) => {
    await using site = await WineSite.open(major)
    const owner = await site.listen('owners/worker.mjs', ['/1/', way])
    expect((await ask(`${site.base}/1/`)).text).toBe('the thread')
    owner.tell('end')
    expect(await owner.next('ended')).toEqual({ kind: 'ended' })
    if (way === 'exit') expect((await ask(`${site.base}/1/`)).text).toBe('the process')
    owner.tell('exit')
    expect(await owner.exit()).toBe(0)
  })

  test('gives a request to the process with the longest prefix, whoever came first', async () => {
    await using site = await WineSite.open(major)
    await site.listen('owners/plain.mjs', ['/2/3/'])
    await site.listen('owners/plain.mjs', ['/'])
    await site.listen('owners/plain.mjs', ['/2/'])
    const owners = []
    for (const path of ['/', '/x', '/22/x', '/2/x', '/2/33', '/2/3/x']) {
      owners.push((await ask(site.base + path)).text.split(' ')[0])
    }
    expect(owners).toEqual(['/', '/', '/', '/2/', '/2/', '/2/3/'])
  })

  test('reads entity bodies and sends large and streamed responses', async () => {
    await using site = await WineSite.open(major)
    await site.listen('owners/plain.mjs', ['/1/'])
    // Stock Wine ends the connection of a body of 128 KiB and more.
    for (const size of [0, 1, 5000, 100_000]) {
      const body = Buffer.alloc(size, 'abcdefg')
      const { status, text } = await ask(`${site.base}/1/echo`, { body, method: 'POST' })
      expect([status, text.length, text === body.toString()]).toEqual([200, size, true])
    }
    expect((await ask(`${site.base}/1/stream`)).text).toBe('one two three')
    expect((await ask(`${site.base}/1/big`)).text).toBe('x'.repeat(300_000))
    expect(await ask(`${site.base}/1/`, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
  })

  test('hands fields over both ways', async () => {
    await using site = await WineSite.open(major)
    await site.listen('owners/plain.mjs', ['/1/'])
    const { status, headers, text } = await ask(`${site.base}/1/fields?a=%20b`, {
      headers: { 'X-Custom': 'one', Accept: 'text/plain', Cookie: 'c=d' },
    })
    expect(status).toBe(201)
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2'])
    expect(headers['x-mixed-case']).toBe('Ja')
    const { url, raw } = JSON.parse(text) as { url: string; raw: string[] }
    expect(url).toBe('/1/fields?a=%20b')
    for (const [name, value] of [
      ['X-Custom', 'one'],
      ['Accept', 'text/plain'],
      ['Cookie', 'c=d'],
    ] as const) {
      expect(raw[raw.indexOf(name) + 1]).toBe(value)
    }
  })

  test('notices clients that leave in the middle of a response, and serves others', async () => {
    await using site = await WineSite.open(major)
    const owner = await site.listen('owners/plain.mjs', ['/1/'])
    for (let round = 0; round < 3; round++) {
      await leave(`${site.base}/1/endless`)
      expect(await owner.next('left')).toMatchObject({ isFinished: false })
    }
    expect((await ask(`${site.base}/1/after`)).text).toBe('/1/ answers GET /1/after')
    expect(owner.output).toBe('')
  })

  test('refuses a prefix that another process has, and says so', async () => {
    await using site = await WineSite.open(major)
    await site.listen('owners/plain.mjs', ['/1/'])
    const second = site.start('owners/plain.mjs', ['/1/'])
    const { code, syscall, message } = await second.next('error')
    expect([code, syscall]).toEqual(['EADDRINUSE', 'HttpAddUrlToUrlGroup'])
    expect(message).toContain('/1/')
  })

  test('cancels its receives at close, and the process ends by itself', async () => {
    await using site = await WineSite.open(major)
    const owner = await site.listen('owners/plain.mjs', ['/1/'])
    expect((await ask(`${site.base}/1/`)).status).toBe(200)
    owner.tell('close')
    await owner.next('closed')
    owner.tell('release')
    expect(await owner.exit()).toBe(0)
    expect(owner.output).toBe('')
  })

  test('ends on process.exit() and on an exception, with receives outstanding', async () => {
    await using site = await WineSite.open(major)
    const first = await site.listen('owners/plain.mjs', ['/1/'])
    // A thread that still waited for the kernel would keep the process for ever.
    first.tell('exit', { code: 7 })
    expect(await first.exit()).toBe(7)
    const second = await site.listen('owners/plain.mjs', ['/2/'])
    second.tell('throw')
    expect(await second.exit()).toBe(1)
    expect(second.output).toContain('on purpose')
  })

  test.each([
    ['express', true],
    ['koa', false],
    ['fastify', true],
  ])('runs a hello app of %s', async (framework, parsesBodies) => {
    await using site = await WineSite.open(major)
    await site.listen('owners/frameworks.mjs', [framework, '/app/'])
    const { status, text } = await ask(`${site.base}/app/world`)
    expect([status, JSON.parse(text)]).toEqual([
      200,
      expect.objectContaining({ hello: 'world', originalUrl: '/app/world' }),
    ])
    if (!parsesBodies) return
    const headers = { 'Content-Type': 'application/json' }
    const sum = await ask(`${site.base}/app/sum`, { headers, body: JSON.stringify({ a: 2, b: 3 }) })
    expect(JSON.parse(sum.text)).toEqual({ sum: 5 })
  })

  test('runs processes of the chat: pages, status and files, on one connection', async () => {
    await using site = await WineSite.open(major)
    const rooms = [1, 2].map((number) => site.start('chat/dist/room-server.js', [String(number)]))
    for (const room of rooms) await room.written(/pid \d+/)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const styles = readFileSync('examples/chat/public/style.css', 'utf8')
    for (const number of [1, 2, 1, 2]) {
      const { status, text } = await ask(`${site.base}/${number}/status`, { agent })
      expect([status, JSON.parse(text)]).toEqual([200, expect.objectContaining({ prefix: `/${number}/` })])
      expect((await ask(`${site.base}/${number}/lobby`, { agent })).text).toContain('<!doctype html>')
      const file = await ask(`${site.base}/${number}/assets/style.css`, { agent })
      expect([file.headers['content-type'], file.text]).toEqual(['text/css; charset=utf-8', styles])
    }
    agent.destroy()
  })
})
