import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { currentSocketPath } from '../../src/broker/rendezvous/generations.ts'
import { readEstate } from '../../src/broker/rendezvous/estate.ts'
import { RawClient } from '../support/raw-client.ts'
import { RawOwner } from '../support/raw-owner.ts'
import { Site } from './processes.ts'
import type { Owner } from './processes.ts'

interface Answer {
  readonly status: number
  readonly body: string
  readonly pid: number
}

/** One request; rejects when the connection breaks. */
function get(site: Site, path: string, agent: Agent | false = false): Promise<Answer> {
  return send(site, path, 'GET', agent)
}

/** A request that no second owner may be given. */
function post(site: Site, path: string): Promise<Answer> {
  return send(site, path, 'POST', false)
}

async function send(site: Site, path: string, method: string, agent: Agent | false): Promise<Answer> {
  const outgoing = request(site.base + path, { agent, method }).end()
  const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage]
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode!, body, pid: Number(response.headers['x-pid']) }
}

/** Requests one after the other until it is stopped; every answer must be right. */
function steadyLoad(site: Site, path: string): { stop: () => Promise<{ count: number; slowestMs: number }> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let isStopped = false
  let count = 0
  let slowestMs = 0
  const run = (async () => {
    while (!isStopped) {
      const start = performance.now()
      const { status, body } = await get(site, path, agent)
      slowestMs = Math.max(slowestMs, performance.now() - start)
      if (status !== 200 || !body.includes(path)) throw new Error(`${status} ${body} for ${path}`)
      count++
    }
  })()
  // Failures surface in stop.
  run.catch(() => {})
  const stop = async () => {
    isStopped = true
    await run
    agent.destroy()
    return { count, slowestMs }
  }
  return { stop }
}

describe('independent processes on one port', () => {
  test('eight that start at once find one broker, and one connection reaches all of them', async () => {
    await using site = new Site()
    const first = await site.listen('/1/')
    const others = [2, 3, 4, 5, 6, 7, 8].map((number) => site.start(`/${number}/`))
    await Promise.all(others.map((owner) => owner.next('listening')))
    expect(site.brokers()).toHaveLength(1)
    using client = await RawClient.open(site.port)
    for (const number of [1, 2, 3, 4, 5, 6, 7, 8]) {
      client.write(`GET /${number}/x HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      const text = await client.until(`owner /${number}/ /${number}/x`)
      expect(text).toContain(`X-Pid: ${[first, ...others][number - 1]!.pid}`)
    }
    const pipelined = [8, 1, 7, 2, 6, 3, 5, 4]
    client.text = ''
    client.write(pipelined.map((number) => `GET /${number}/p HTTP/1.1\r\nHost: localhost\r\n\r\n`).join(''))
    await client.until('owner', 8)
    expect([...client.text.matchAll(/owner \/(\d)\//g)].map((match) => Number(match[1]))).toEqual(pipelined)
  })

  test('eight that start with no broker there at all end up at one', async () => {
    await using site = new Site()
    const owners = Array.from({ length: 8 }, (_, index) => site.start(`/${index}/`))
    await Promise.all(owners.map((owner) => owner.next('listening')))
    // One that lost the race may still be on its way out; two that live would both stay.
    await expect.poll(() => site.brokers()).toHaveLength(1)
  })

  test('the broker outlives the process that started it, and leaves when no owner is left', async () => {
    await using site = new Site()
    const first = await site.listen('/1/')
    const [broker] = site.brokers()
    const second = await site.listen('/2/')
    await first.kill()
    expect(await get(site, '/2/x')).toMatchObject({ status: 200, pid: second.pid })
    expect(site.brokers()).toEqual([broker])
    await second.kill()
    // Two seconds for the next owner, and then some for one of another prefix.
    await expect.poll(() => site.brokers(), { timeout: 10_000 }).toEqual([])
  })

  test('a socket file that a dead broker left is not in the way', async () => {
    await using site = new Site()
    await site.listen('/1/')
    const [broker] = site.brokers()
    await Promise.all(site.owners.map((owner) => owner.kill()))
    process.kill(broker!, 'SIGKILL')
    writeFileSync(join(site.directory, 'starting'), '')
    site.port = 0
    const owner = await site.listen('/1/')
    expect(await get(site, '/1/x')).toMatchObject({ status: 200, pid: owner.pid })
  })

  test('a broker that is killed is replaced, and the owners claim again by themselves', async () => {
    await using site = new Site()
    const owners = [await site.listen('/1/'), await site.listen('/2/')]
    const waiting = get(site, '/1/hold')
    const failed = expect(waiting).rejects.toMatchObject({ code: 'ECONNRESET' })
    await owners[0]!.next('held')
    process.kill(site.brokers()[0]!, 'SIGKILL')
    await failed
    await expect
      .poll(() => get(site, '/1/x').catch(() => null), { timeout: 15_000 })
      .toMatchObject({ pid: owners[0]!.pid })
    await expect
      .poll(() => get(site, '/2/x').catch(() => null), { timeout: 15_000 })
      .toMatchObject({ pid: owners[1]!.pid })
    // Of two that start at once one leaves.
    await expect.poll(() => site.brokers()).toHaveLength(1)
  })
})

describe('while a broker that was killed is replaced', () => {
  test('no request gets another answer than its owner’s, though a shorter prefix is claimed again first', async () => {
    await using site = new Site()
    await site.listen('/')
    const owner = await site.listen('/2/')
    for (let round = 0; round < 5; round++) {
      const [broker] = site.brokers()
      process.kill(broker!, 'SIGKILL')
      let failures = 0
      for (let answered = 0; answered < 20;) {
        // A new connection each time: refused or cut until the new broker is there.
        const answer = await get(site, '/2/x').catch(() => null)
        if (answer === null) failures++
        else {
          expect(answer).toMatchObject({ status: 200, pid: owner.pid })
          answered++
        }
      }
      expect(failures).toBeGreaterThan(0)
    }
  })

  test('a claim is written down before its process is told of it', async () => {
    await using site = new Site()
    await site.listen('/')
    using owner = await RawOwner.open((await currentSocketPath(site.directory))!)
    for (let count = 0; count < 20; count++) {
      const href = `http://localhost:${site.port}/${count}/`
      await owner.claim(href, { settings: { holdFor: count } })
      expect(readEstate(site.directory)).toContainEqual({
        href,
        settings: expect.objectContaining({ holdFor: count }) as object,
      })
    }
  })

  test('the claims of processes that do not come back are forgotten', async () => {
    await using site = new Site()
    const gone = await site.listen('/gone/')
    const anchor = await site.listen('/')
    gone.child.kill('SIGSTOP')
    process.kill(site.brokers()[0]!, 'SIGKILL')
    await expect.poll(() => get(site, '/x').catch(() => null), { timeout: 15_000 }).toMatchObject({ pid: anchor.pid })
    await gone.kill()
    expect((await get(site, '/gone/x')).status).toBe(503)
    expect((await get(site, '/gone/x')).pid).toBe(anchor.pid)
  })
})

describe('a process that dies', () => {
  test('frees its prefix at once, and the others never notice', async () => {
    await using site = new Site()
    const victim = await site.listen('/1/')
    await site.listen('/2/')
    const load = steadyLoad(site, '/2/x')
    await get(site, '/1/x')
    await victim.kill()
    const before = performance.now()
    const claimed = await site.listen('/1/')
    const freedMs = performance.now() - before
    expect(await get(site, '/1/x')).toMatchObject({ status: 200, pid: claimed.pid })
    const { count, slowestMs } = await load.stop()
    expect(count).toBeGreaterThan(10)
    console.log(
      `claimed again after ${freedMs.toFixed(1)} ms; ${count} other requests, slowest ${slowestMs.toFixed(1)} ms`,
    )
  })

  test('leaves a 502 where it had not answered a POST, and a broken connection where it had begun', async () => {
    await using site = new Site()
    const victim = await site.listen('/1/')
    const unanswered = post(site, '/1/hold')
    using begun = await RawClient.open(site.port)
    begun.write('GET /1/head HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await begun.until('begun')
    await victim.next('held')
    await victim.kill()
    expect((await unanswered).status).toBe(502)
    expect(await begun.untilEnd()).not.toContain('0\r\n\r\n')
  })

  test('by an uncaught exception does so at once', async () => {
    await using site = new Site()
    const owner = await site.listen('/1/')
    const failing = post(site, '/1/throw')
    expect(await owner.exit()).toBe(1)
    expect((await failing).status).toBe(502)
  })

  test('would have died of exceptions, but catches them, goes on answering', async () => {
    await using site = new Site()
    const owner = await site.listen('/1/')
    owner.tell('catch')
    await owner.next('catching')
    using thrower = await RawClient.open(site.port)
    thrower.write('GET /1/throw HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await owner.next('caught')).toMatchObject({ message: 'thrown by the app' })
    using reader = await RawClient.open(site.port)
    reader.write('POST /1/throw-in-data HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nbody')
    await owner.next('reading')
    reader.write('more')
    expect(await owner.next('caught')).toMatchObject({ message: 'thrown while reading' })
    for (let count = 0; count < 20; count++) expect((await get(site, '/1/x')).status).toBe(200)
    expect([thrower.isClosed, reader.isClosed]).toEqual([false, false])
  })

  test('by process.exit with requests open does so at once', async () => {
    await using site = new Site()
    const owner = await site.listen('/1/')
    const open = post(site, '/1/hold')
    await owner.next('held')
    const failing = post(site, '/1/exit')
    expect(await owner.exit()).toBe(3)
    expect((await failing).status).toBe(502)
    expect((await open).status).toBe(502)
  })

  test('or is stopped does not hold up the others', async () => {
    await using site = new Site()
    const stopped = await site.listen('/1/')
    await site.listen('/2/')
    stopped.child.kill('SIGSTOP')
    const unanswered = get(site, '/1/x')
    for (let count = 0; count < 200; count++) expect((await get(site, '/2/x')).status).toBe(200)
    stopped.child.kill('SIGCONT')
    expect((await unanswered).status).toBe(200)
  })
})

describe('claims', () => {
  test('a taken prefix is refused with its name and the pid that has it', async () => {
    await using site = new Site()
    const first = await site.listen('/1/')
    const error = await site.start('/1/').next('error')
    expect(error).toMatchObject({ code: 'EADDRINUSE', subject: `http://localhost:${site.port}/1/` })
    expect(error['message']).toContain(String(first.pid))
  })

  test('processes that attach share a queue in turn, and one goes on when the other dies', async () => {
    await using site = new Site()
    const owners: Owner[] = [await site.listen('/1/', 'attach'), await site.listen('/1/', 'attach')]
    const pids = new Set<number>()
    for (let count = 0; count < 4; count++) pids.add((await get(site, '/1/x')).pid)
    expect([...pids].toSorted()).toEqual(owners.map((owner) => owner.pid).toSorted())
    await owners[0]!.kill()
    for (let count = 0; count < 4; count++) expect((await get(site, '/1/x')).pid).toBe(owners[1]!.pid)
  })

  test('close answers what is open, frees the prefix, and lets the process end', async () => {
    await using site = new Site()
    // Keeps the port open.
    await site.listen('/2/')
    const owner = await site.listen('/1/')
    const open = get(site, '/1/hold')
    await owner.next('held')
    owner.tell('close')
    await expect.poll(async () => (await get(site, '/1/x')).status).toBe(404)
    const heir = await site.listen('/1/')
    owner.tell('release')
    expect(await open).toMatchObject({ status: 200, body: 'released' })
    await owner.next('closed')
    owner.tell('disconnect')
    expect(await owner.exit()).toBe(0)
    expect((await get(site, '/1/x')).pid).toBe(heir.pid)
  })

  test('a process whose server is unreferenced ends by itself', async () => {
    await using site = new Site()
    const owner = await site.listen('/1/')
    owner.tell('unref')
    expect(await owner.exit()).toBe(0)
  })

  test('a prefix can be closed and claimed again at once, many times, without a wrong answer to anyone', async () => {
    await using site = new Site()
    await site.listen('/2/')
    const owner = await site.listen('/1/')
    const load = steadyLoad(site, '/2/x')
    for (let round = 0; round < 30; round++) {
      owner.tell('close')
      await owner.next('closed')
      owner.tell('listen')
      await owner.next('listening')
      expect(await get(site, '/1/x')).toMatchObject({ status: 200, pid: owner.pid })
    }
    expect((await load.stop()).count).toBeGreaterThan(10)
  })
})
