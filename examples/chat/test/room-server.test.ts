import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Guest, refusedHandshake } from './support/guest.ts'
import type { Frame } from './support/guest.ts'
import { Program, statusAt } from './support/program.ts'

let program: Program
/** `http://localhost:port/3/` */
let base: string

beforeAll(async () => {
  program = new Program('room-server.js', ['3'], { HTTPSYS_BASE: 'http://localhost:0' })
  const [, url] = await program.until(/^(http:\S+) {2}pid \d+$/m)
  base = url!
})
afterAll(() => program[Symbol.asyncDispose]())

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return fetch(base + path, { method: 'POST', body: text, headers: { 'content-type': 'application/json', ...headers } })
}

async function historyOf(room: string): Promise<Frame[]> {
  return (await (await fetch(`${base}${room}/messages`)).json()) as Frame[]
}

describe('the pages', () => {
  test.each([
    ['', 'text/html; charset=utf-8', '<h1>Rooms of process 3</h1>'],
    ['lobby', 'text/html; charset=utf-8', '<h1>lobby</h1>'],
    ['lobby/messages', 'application/json; charset=utf-8', '[]'],
    ['status', 'application/json; charset=utf-8', '"prefix":"/3/"'],
    ['assets/style.css', 'text/css; charset=utf-8', '--accent'],
    ['assets/theme.css', 'text/css; charset=utf-8', '--hue'],
    ['assets/room.js', 'text/javascript; charset=utf-8', 'import'],
    ['assets/icon.svg', 'image/svg+xml; charset=utf-8', '>3</text>'],
  ])('/3/%s is %s', async (path, type, content) => {
    const response = await fetch(base + path)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type])
    expect(await response.text()).toContain(content)
  })

  test('name the process that serves them, and load nothing from elsewhere', async () => {
    const { pid } = await statusAt(base)
    const response = await fetch(`${base}lobby`)
    const page = await response.text()
    expect(page).toContain(`served by process 3 · pid <span class="pid">${pid}</span>`)
    expect(page).not.toMatch(/(?:src|href)="(?:\/|[a-z]+:)/)
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
  })

  test.each([
    ['../3', ''],
    ['garden/', 'garden'],
    ['?room=garden', 'garden'],
  ])('%s leads to the URL that relative links work from', async (path, target) => {
    expect((await fetch(base + path)).url).toBe(base + target)
  })

  test('the first page lists the rooms and who is in them', async () => {
    using _ada = await Guest.enter(`${base}listed?name=Ada`)
    await post('listed/messages', { text: 'hello' })
    expect(await (await fetch(base)).text()).toContain('<b>listed</b> <span>1 here · 1 message</span>')
    expect((await statusAt(base)).list).toContainEqual({ name: 'listed', people: 1, messages: 1 })
  })

  test('looking at a room does not make one', async () => {
    await fetch(`${base}looked-at`)
    await fetch(`${base}looked-at/messages`)
    using _guest = await Guest.enter(`${base}entered`)
    expect((await statusAt(base)).list.map(({ name }) => name)).not.toContain('looked-at')
  })

  test('a room is forgotten when nobody said anything and everybody left', async () => {
    const guest = await Guest.enter(`${base}passing`)
    expect((await statusAt(base)).list.map(({ name }) => name)).toContain('passing')
    guest.socket.close()
    await vi.waitFor(async () => {
      expect((await statusAt(base)).list.map(({ name }) => name)).not.toContain('passing')
    })
  })

  test.each(['-x', 'a%20b', '%3Cscript%3E', 'x'.repeat(41), 'Status', 'assets'])(
    'the room name %s is refused with the rule',
    async (name) => {
      const response = await fetch(`${base}${name}/messages`)
      const { error } = (await response.json()) as { error: string }
      expect([response.status, error]).toEqual([400, expect.stringContaining('a room name has 1 to 40 letters')])
    },
  )

  test('a browser gets an error as a page, escaped, with links that work from there', async () => {
    const response = await fetch(`${base}x/y/z`, { headers: { accept: 'text/html' } })
    const page = await response.text()
    expect(response.status).toBe(404)
    expect(page).toContain('there is no such page')
    const [, sheet] = /href="([^"]+style\.css)"/.exec(page)!
    expect((await fetch(new URL(sheet!, response.url))).headers.get('content-type')).toContain('text/css')
    const wrong = await fetch(`${base}?room=${encodeURIComponent('<img>')}`)
    expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining('&#60;img&#62;')])
  })
})

describe('messages over HTTP', () => {
  test('are kept in the room that they were posted to', async () => {
    const response = await post('history/messages', { name: 'Ada', text: ' first ' })
    expect([response.status, await response.json()]).toEqual([
      201,
      { id: 1, from: null, name: 'Ada', text: 'first', time: expect.any(Number) },
    ])
    expect(await historyOf('history')).toMatchObject([{ name: 'Ada', text: 'first' }])
    expect(await historyOf('other')).toEqual([])
  })

  test('may come as a form, which is what curl -d sends', async () => {
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await post('form/messages', 'text=Hello+there', type)).status).toBe(201)
    expect(await historyOf('form')).toMatchObject([{ name: 'curl', text: 'Hello there' }])
  })

  test('the last 200 are kept', async () => {
    for (let count = 1; count <= 205; count++) await post('long/messages', { text: String(count) })
    const texts = (await historyOf('long')).map((message) => message['text'])
    expect([texts.length, texts[0], texts.at(-1)]).toEqual([200, '6', '205'])
  })

  test.each([
    ['no text', {}, 400, 'text must be a string'],
    ['no object', '[1]', 400, 'text must be a string'],
    ['a text that is a number', { text: 7 }, 400, 'text must be a string'],
    ['an empty text', { text: ' \n ' }, 400, 'text must not be empty'],
    ['too long a text', { text: 'x'.repeat(2001) }, 400, 'text has 2001 characters, the limit is 2000'],
    ['too long a name', { name: 'x'.repeat(41), text: 'x' }, 400, 'name has 41 characters, the limit is 40'],
    ['broken JSON', '{"text"', 400, 'JSON'],
    ['a huge body', { text: 'x'.repeat(20_000) }, 413, 'large'],
  ])('%s is refused with the reason', async (_what, body, code, reason) => {
    const response = await post('refused/messages', body)
    expect([response.status, await response.json()]).toEqual([code, { error: expect.stringContaining(reason) }])
    expect(await historyOf('refused')).toEqual([])
  })

  test('a text of exactly 2000 characters is taken', async () => {
    expect((await post('exact/messages', { text: 'x'.repeat(2000) })).status).toBe(201)
  })

  test('another content type is refused with 415', async () => {
    const response = await post('refused/messages', 'hello', { 'content-type': 'text/plain' })
    expect([response.status, await response.json()]).toEqual([
      415,
      { error: expect.stringContaining('application/json') },
    ])
  })

  test("another site's page may not post", async () => {
    expect((await post('origin/messages', { text: 'x' }, { origin: 'http://evil.example' })).status).toBe(403)
    expect((await post('origin/messages', { text: 'x' }, { origin: new URL(base).origin })).status).toBe(201)
    expect(await historyOf('origin')).toHaveLength(1)
  })
})

describe('a room over WebSocket', () => {
  test('tells newcomers what was said and who is there', async () => {
    await post('welcome/messages', { name: 'Ada', text: 'earlier' })
    using grace = await Guest.enter(`${base}welcome?name=Grace`)
    using linus = new Guest(`${base}welcome?name=${encodeURIComponent('  Linus \u202e T. ')}`)
    const welcome = await linus.next('welcome')
    const people = [
      { id: expect.any(String), name: 'Grace' },
      { id: welcome['you'], name: 'Linus T.' },
    ]
    const { pid } = await statusAt(base)
    expect(welcome).toMatchObject({ room: 'welcome', pid, people, history: [{ name: 'Ada', text: 'earlier' }] })
    expect(await grace.next('joined')).toEqual({ type: 'joined', person: people[1] })
  })

  test('passes on messages, names, who is typing and who leaves', async () => {
    using ada = await Guest.enter(`${base}talk?name=Ada`)
    const grace = await Guest.enter(`${base}talk?name=Grace`)
    grace.say({ type: 'typing' })
    const { person } = (await ada.next('typing')) as unknown as { person: { id: string } }
    expect(person).toMatchObject({ name: 'Grace' })
    grace.say({ type: 'message', text: '<b>hello</b>\nworld\u0007' })
    const expected = { message: { from: person.id, name: 'Grace', text: '<b>hello</b>\nworld' } }
    expect(await ada.next('message')).toMatchObject(expected)
    expect(grace.frames.map(({ type }) => type)).not.toContain('typing')
    expect(await grace.next('message')).toMatchObject(expected)
    grace.say({ type: 'name', name: 'Admiral' })
    expect(await ada.next('renamed')).toEqual({
      type: 'renamed',
      from: 'Grace',
      person: { id: person.id, name: 'Admiral' },
    })
    grace.socket.terminate()
    expect(await ada.next('left')).toEqual({ type: 'left', person: { id: person.id, name: 'Admiral' } })
    expect(ada.frames).toEqual([])
  })

  test('hears what is posted over HTTP', async () => {
    using ada = await Guest.enter(`${base}posted`)
    await post('posted/messages', { name: 'script', text: 'done' })
    expect(await ada.next('message')).toMatchObject({ message: { from: null, name: 'script', text: 'done' } })
  })

  test('keeps rooms apart', async () => {
    using here = await Guest.enter(`${base}here`)
    using there = await Guest.enter(`${base}there`)
    there.say({ type: 'typing' })
    there.say({ type: 'message', text: 'elsewhere' })
    await there.next('message')
    here.say({ type: 'message', text: 'here' })
    await here.next('message')
    expect((await historyOf('here')).map((message) => message['text'])).toEqual(['here'])
    expect(here.frames.concat(there.frames)).toEqual([])
  })

  test.each([
    ['no JSON', 'nonsense', { error: 'frames must be JSON objects' }],
    ['null', 'null', { error: 'frames must be JSON objects' }],
    ['bytes', Buffer.from('{"type":"typing"}'), { error: 'frames must be text' }],
    ['an unknown type', { type: 'shout' }, { error: 'type must be message, name or typing', of: 'shout' }],
    ['an empty text', { type: 'message', text: ' ' }, { error: 'text must not be empty', of: 'message' }],
    ['no text', { type: 'message' }, { error: 'text must be a string', of: 'message' }],
    ['a long text', { type: 'message', text: 'x'.repeat(2001) }, { of: 'message' }],
    ['a name that is no text', { type: 'name', name: 7 }, { error: 'name must be a string', of: 'name' }],
  ])('%s gets an error that nobody else sees', async (_what, frame, answer) => {
    using other = await Guest.enter(`${base}errors`)
    using guest = await Guest.enter(`${base}errors`)
    await other.next('joined')
    guest.say(frame)
    expect(await guest.next('error')).toMatchObject(answer)
    guest.say({ type: 'message', text: 'still here' })
    await other.next('message')
    expect(other.frames).toEqual([])
  })

  test('a frame over 16 KiB ends that connection only', async () => {
    using other = await Guest.enter(`${base}large`)
    using guest = await Guest.enter(`${base}large`)
    guest.say({ type: 'message', text: 'x'.repeat(20_000) })
    expect(await once(guest.socket, 'close')).toEqual([1009, expect.anything()])
    await other.next('left')
    other.say({ type: 'message', text: 'undisturbed' })
    await other.next('message')
  })

  test('who floods is told so, and the rest is dropped', async () => {
    using other = await Guest.enter(`${base}flood`)
    using guest = await Guest.enter(`${base}flood`)
    for (let count = 0; count < 200; count++) guest.say({ type: 'message', text: String(count) })
    expect(await guest.next('error')).toMatchObject({ error: expect.stringContaining('not so fast'), of: 'message' })
    other.say({ type: 'message', text: 'last' })
    await vi.waitFor(async () => expect((await historyOf('flood')).at(-1)).toMatchObject({ text: 'last' }))
    const { length } = await historyOf('flood')
    expect(length).toBeGreaterThan(30)
    expect(length).toBeLessThan(150)
  })

  test('who does not read is dropped, and the others get everything', async () => {
    using stalled = await Guest.enter(`${base}stalled?name=Stalled`)
    using reader = await Guest.enter(`${base}stalled?name=Reader`)
    stalled.socket.pause()
    const text = '\u20ac'.repeat(2000)
    let posted = 0
    const writers = Array.from({ length: 8 }, async () => {
      while (posted++ < 6000 && !reader.frames.some(({ type }) => type === 'left'))
        await post('stalled/messages', { text })
    })
    expect(await reader.next('left')).toMatchObject({ person: { name: 'Stalled' } })
    await Promise.all(writers)
    await post('stalled/messages', { text: 'the end' })
    await vi.waitFor(() => {
      expect(reader.frames.at(-1)).toMatchObject({ message: { text: 'the end' } })
    })
    expect(await historyOf('stalled')).toHaveLength(200)
  })

  test('a full history of long messages reaches a newcomer who stays', async () => {
    const text = '\u20ac'.repeat(2000)
    for (let count = 0; count < 200; count++) await post('full/messages', { text })
    using guest = new Guest(`${base}full`)
    expect(((await guest.next('welcome'))['history'] as unknown[]).length).toBe(200)
    // This one speaks in the same packet, so the answer is due while most of the history is still to be sent.
    const { hostname, port } = new URL(base)
    const socket = connect(Number(port), hostname)
    socket.cork()
    const head = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13'
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
    const frame = Buffer.from(JSON.stringify({ type: 'message', text: 'still here' }))
    socket.write(`GET /3/full HTTP/1.1\r\nHost: localhost:${port}\r\n${head}\r\n${key}\r\n\r\n`)
    socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | frame.length, 0, 0, 0, 0]), frame]))
    socket.uncork()
    let tail = ''
    for await (const chunk of socket) {
      tail = (tail + String(chunk)).slice(-1000)
      if (tail.includes('still here')) break
    }
    expect(tail).toContain('still here')
  })

  test.each([
    ['a wrong room name', '-x', {}, 400],
    ['a path below a room', 'lobby/messages', {}, 400],
    ['too long a name', `lobby?name=${'x'.repeat(41)}`, {}, 400],
    ["another site's page", 'lobby', { origin: 'http://evil.example' }, 403],
  ])('%s is refused in the handshake', async (_what, path, options, code) => {
    expect(await refusedHandshake(base + path, options)).toEqual([code, { error: expect.any(String) }])
    expect((await statusAt(base)).list.map(({ name }) => name)).not.toContain('-x')
  })

  test('a handshake that is none leaves no room behind', async () => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
    const [response] = (await once(request(`${base}no-key`, { headers }).end(), 'response')) as [{ statusCode: number }]
    expect(response.statusCode).toBe(400)
    expect((await statusAt(base)).list.map(({ name }) => name)).not.toContain('no-key')
  })
})

test('/status counts rooms, connections and requests', async () => {
  const before = await statusAt(base)
  using _guest = await Guest.enter(`${base}counted`)
  const after = await statusAt(base)
  expect(after).toMatchObject({
    prefix: '/3/',
    pid: program.child.pid,
    rooms: before.rooms + 1,
    connections: before.connections + 1,
    requests: before.requests + 2,
  })
  expect(after.uptime).toBeGreaterThanOrEqual(before.uptime)
})

test('SIGTERM says goodbye to who is there and exits with 0', async () => {
  await using own = new Program('room-server.js', ['7'], { HTTPSYS_BASE: 'http://localhost:0' })
  const [, url] = await own.until(/^(http:\S+)/m)
  using guest = await Guest.enter(`${url}lobby`)
  const closed = once(guest.socket, 'close')
  expect(await own.stop('SIGTERM')).toBe(0)
  expect(await closed).toEqual([1012, expect.anything()])
})

test.each([[[]], [['0']], [['x']], [['1000']]])('the arguments %j are refused with the usage', async (args) => {
  await using own = new Program('room-server.js', args, {})
  expect(await own.exit()).toBe(2)
  expect(own.text).toContain('usage: node room-server.js NUMBER')
})
