import assert from 'node:assert/strict'
import { UrlPrefix } from '../base/url-prefix.ts'
import type { ClaimMode } from '../base/url-prefix.ts'
import type { ContractCase, ContractHarness } from './contract-harness.ts'
import { Recorder } from './contract-recorder.ts'
import type { Exchange } from './exchange.ts'
import { LENGTH_UNKNOWN, RESPONSE_CLOSE, RESPONSE_OPAQUE, UNTIL_INVALIDATED } from './exchange.ts'

async function listen(harness: ContractHarness, path: string, mode: ClaimMode = 'create') {
  const recorder = new Recorder()
  const queue = await harness.open(UrlPrefix.parse(harness.base + path, { mode }), recorder)
  return { recorder, queue }
}

function answer(exchange: Exchange, text: string, status = 200): void {
  exchange.sendResponse(status, '', 'Content-Type: text/plain\r\n', text.length, 0, text, 'latin1', true)
}

/** Keeps backend and client busy with other requests, long enough for megabytes to pass where nothing holds them back. */
async function busyWork(harness: ContractHarness): Promise<void> {
  const { recorder, queue } = await listen(harness, '/busy/')
  for (let count = 1; count <= 100; count++) {
    const client = await harness.send({ path: '/busy/' })
    answer((await recorder.next('request', count)).exchange, 'x')
    await client.response({ complete: true })
  }
  await queue.shutdown()
}

/** What every backend of the queue must do; a test file runs each case against its backend. */
export const queueContract: readonly ContractCase[] = [
  {
    name: 'delivers a request with its head, and the response to the client',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const client = await harness.send({ path: '/1/a?b=c', headers: { 'X-Mixed-Case': 'Value' } })
      const { exchange } = await recorder.next('request')
      assert.equal(exchange.method, 'GET')
      assert.equal(exchange.target, '/1/a?b=c')
      assert.equal(exchange.hasBody, false)
      // HTTP/2 has lower case only.
      const names = exchange.rawHeaders.map((text) => text.toLowerCase())
      assert.equal(exchange.rawHeaders[names.indexOf('x-mixed-case') + 1], 'Value')
      assert.equal(exchange.queue, queue)
      answer(exchange, 'hello')
      const response = await client.response({ complete: true })
      assert.deepEqual([response.status, String(response.body), response.isComplete], [200, 'hello', true])
      assert.equal(response.headers['content-type'], 'text/plain')
      await queue.shutdown()
    },
  },
  {
    name: 'gives each request to the owner of the longest prefix',
    async run(harness) {
      const outer = await listen(harness, '/')
      const inner = await listen(harness, '/2/')
      await harness.send({ path: '/2/x' })
      assert.equal((await inner.recorder.next('request')).exchange.target, '/2/x')
      await harness.send({ path: '/22' })
      assert.equal((await outer.recorder.next('request')).exchange.target, '/22')
      await inner.queue.shutdown()
      await harness.send({ path: '/2/y' })
      assert.equal((await outer.recorder.next('request', 2)).exchange.target, '/2/y')
      for (const event of [...outer.recorder.events, ...inner.recorder.events]) answer(event.exchange, 'done')
      await outer.queue.shutdown()
    },
  },
  {
    name: 'refuses a prefix that somebody has, and lets it go on shutdown',
    async run(harness) {
      const { queue } = await listen(harness, '/1/')
      await assert.rejects(listen(harness, '/1/'), { code: 'EADDRINUSE' })
      await queue.shutdown()
      await queue.shutdown()
      const again = await listen(harness, '/1/')
      await again.queue.shutdown()
    },
  },
  {
    name: 'serves several owners of one queue in turn',
    async run(harness) {
      const recorder = new Recorder()
      const prefix = UrlPrefix.parse(`${harness.base}/1/`, { mode: 'attach' })
      const queues = [await harness.open(prefix, recorder), await harness.open(prefix, recorder)]
      for (let count = 1; count <= 4; count++) {
        const client = await harness.send({ path: '/1/' })
        answer((await recorder.next('request', count)).exchange, 'x')
        await client.response({ complete: true })
      }
      const served = queues.map((queue) => recorder.events.filter(({ exchange }) => exchange.queue === queue).length)
      assert.deepEqual(served, [2, 2])
      for (const queue of queues) await queue.shutdown()
    },
  },
  {
    name: 'gives a prefix to the process that takes it over, while the one before finishes what it has begun',
    async run(harness) {
      const old = await listen(harness, '/1/')
      const open = await harness.send({ path: '/1/old', method: 'POST', body: 4 })
      const { exchange } = await old.recorder.next('request')
      const heir = await listen(harness, '/1/', 'takeover')
      assert.equal(await old.recorder.revocation(), old.queue)
      const client = await harness.send({ path: '/1/new' })
      const fresh = (await heir.recorder.next('request')).exchange
      assert.deepEqual([fresh.target, fresh.queue], ['/1/new', heir.queue])
      answer(fresh, 'new')
      assert.equal(String((await client.response({ complete: true })).body), 'new')
      open.write(Buffer.from('body'))
      open.end()
      await old.recorder.next('bodyEnd')
      assert.equal(String(old.recorder.bodyOf(exchange)), 'body')
      answer(exchange, 'old')
      assert.equal(String((await open.response({ complete: true })).body), 'old')
      await old.queue.shutdown()
      await assert.rejects(listen(harness, '/1/'), { code: 'EADDRINUSE' })
      await heir.queue.shutdown()
      assert.equal(heir.recorder.revoked.length, 0)
    },
  },
  {
    name: 'delivers an entity body of known length and its end',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const client = await harness.send({ path: '/1/', method: 'POST', body: 10 })
      const { exchange } = await recorder.next('request')
      assert.equal(exchange.hasBody, true)
      client.write(Buffer.from('01234'))
      await recorder.next('body')
      client.write(Buffer.from('56789'))
      client.end()
      await recorder.next('bodyEnd')
      assert.equal(String(recorder.bodyOf(exchange)), '0123456789')
      answer(exchange, 'ok')
      await client.response({ complete: true })
      await queue.shutdown()
    },
  },
  {
    name: 'holds an entity body back until it is granted, and delivers all of it in order',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const size = 8 * 1024 * 1024
      const client = await harness.send({ path: '/1/', method: 'POST', body: 'chunked' })
      const { exchange } = await recorder.next('request')
      const sent = Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz')
      for (let offset = 0; offset < size; offset += 65_536) client.write(sent.subarray(offset, offset + 65_536))
      client.end()
      await recorder.next('body')
      await busyWork(harness)
      const early = recorder.bodyBytes
      assert.ok(early < size / 4, `${early} of ${size} bytes came without being granted`)
      let granted = 0
      while (granted < size) {
        await recorder.moreBody(granted)
        const fresh = recorder.bodyBytes - granted
        granted += fresh
        exchange.grantBody(fresh)
      }
      await recorder.next('bodyEnd')
      assert.ok(recorder.bodyOf(exchange).equals(sent))
      answer(exchange, 'ok')
      await client.response({ complete: true })
      await queue.shutdown()
    },
  },
  {
    name: 'reads and drops a body that is not wanted',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const client = await harness.send({ path: '/1/', method: 'POST', body: 1_000_000 })
      const { exchange } = await recorder.next('request')
      exchange.discardBody()
      client.write(Buffer.alloc(1_000_000))
      client.end()
      await recorder.next('bodyEnd')
      answer(exchange, 'ok')
      assert.equal((await client.response({ complete: true })).status, 200)
      await queue.shutdown()
    },
  },
  {
    name: 'streams a response of unknown length, and says when there is room again',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const client = await harness.send({ path: '/1/' })
      client.setReading(false)
      const { exchange } = await recorder.next('request')
      const piece = Buffer.alloc(65_536, 'x')
      let sent = piece.length
      let hasRoom = exchange.sendResponse(200, '', '', LENGTH_UNKNOWN, 0, piece, null, false)
      // The kernel's buffers take some megabytes; what a client never reads must stop the owner at last.
      while (hasRoom && sent < 64 * 1024 * 1024) {
        hasRoom = exchange.sendBody(piece, null, false, '')
        sent += piece.length
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.equal(hasRoom, false)
      client.setReading(true)
      await recorder.next('writable')
      exchange.sendBody('end', 'latin1', true, '')
      const response = await client.response({ complete: true })
      assert.equal(response.body.length, sent + 3)
      await queue.shutdown()
    },
  },
  {
    name: 'sends informational responses before the final one',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const client = await harness.send({ path: '/1/' })
      const { exchange } = await recorder.next('request')
      exchange.sendInformational(103, 'Link: </style.css>; rel=preload\r\n')
      assert.deepEqual((await client.response({ informational: 1 })).informational, [103])
      answer(exchange, 'ok')
      assert.equal((await client.response({ complete: true })).status, 200)
      await queue.shutdown()
    },
  },
  {
    name: 'tells the owner when the client goes away, and lets it cancel',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const client = await harness.send({ path: '/1/' })
      const { exchange } = await recorder.next('request')
      client.abort()
      await recorder.next('disconnect')
      exchange.cancel()
      exchange.cancel()
      await queue.shutdown()
    },
  },
  {
    name: 'breaks the connection of a cancelled exchange',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const client = await harness.send({ path: '/1/' })
      const { exchange } = await recorder.next('request')
      exchange.sendResponse(200, '', '', 100, 0, 'part', 'latin1', false)
      await client.response({ bytes: 4 })
      exchange.cancel()
      const response = await client.response({ complete: true })
      assert.deepEqual([response.isComplete, response.isBroken, String(response.body)], [false, true, 'part'])
      await queue.shutdown()
    },
  },
  {
    name: 'carries raw bytes both ways after an opaque response',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const client = await harness.send({ path: '/1/', headers: { Connection: 'Upgrade', Upgrade: 'echo' } })
      const { exchange } = await recorder.next('request')
      assert.equal(exchange.isUpgrade, true)
      exchange.sendResponse(101, '', 'Upgrade: echo\r\n', LENGTH_UNKNOWN, RESPONSE_OPAQUE, null, null, false)
      assert.equal((await client.response({ head: true })).status, 101)
      client.write(Buffer.from([0, 1, 2, 255]))
      await recorder.next('body')
      assert.deepEqual([...recorder.bodyOf(exchange)], [0, 1, 2, 255])
      exchange.sendBody(Buffer.from([255, 0, 254]), null, false, '')
      assert.deepEqual([...(await client.response({ bytes: 3 })).body], [255, 0, 254])
      client.end()
      await recorder.next('bodyEnd')
      exchange.sendBody(null, null, true, '')
      await client.response({ complete: true })
      await queue.shutdown()
    },
  },
  {
    name: 'sends what may be cached like any other response, and forgets it when it is told to',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const get = async (version: number): Promise<string> => {
        const client = await harness.send({ path: '/1/' })
        const { exchange } = await recorder.next('request', version)
        exchange.setCachePolicy(version === 1 ? UNTIL_INVALIDATED : 60)
        answer(exchange, `version ${version}`)
        return String((await client.response({ complete: true })).body)
      }
      assert.equal(await get(1), 'version 1')
      await queue.flushResponseCache('/1/')
      assert.equal(await get(2), 'version 2')
      await queue.shutdown()
      await queue.flushResponseCache('/1/')
    },
  },
  {
    name: 'finishes what is open after a shutdown',
    async run(harness) {
      const { recorder, queue } = await listen(harness, '/1/')
      const client = await harness.send({ path: '/1/' })
      const { exchange } = await recorder.next('request')
      await queue.shutdown()
      exchange.sendResponse(200, '', '', 4, RESPONSE_CLOSE, 'late', 'latin1', true)
      assert.equal(String((await client.response({ complete: true })).body), 'late')
    },
  },
]
