import { once } from 'node:events'
import { Agent, request } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { Site } from './processes.ts'

const CLIENTS = 24
const REQUESTS = 20
const SEED = 20_261_129

/** Numbers below a bound, the same for the same seed (Numerical Recipes' generator). */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 0x1_0000_0000) * below)
  }
}

async function textOf(outgoing: ClientRequest): Promise<string> {
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return `${response.statusCode} ${Buffer.concat(chunks).toString('latin1')}`
}

/** Sends the body in one piece, or in chunks of all sizes. */
async function send(outgoing: ClientRequest, body: Buffer, isChunked: boolean, below: (bound: number) => number) {
  if (!isChunked) return void outgoing.end(body)
  for (let start = 0; start < body.length;) {
    const end = start + 1 + below(100_000)
    if (!outgoing.write(body.subarray(start, end))) await once(outgoing, 'drain')
    start = end
  }
  outgoing.end()
}

async function talk(base: string, seed: number): Promise<void> {
  const below = randomNumbers(seed)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const sizes = [2000, 70_000, 600_000, 3_000_000]
  for (let count = 0; count < REQUESTS; count++) {
    const path = ['echo', 'echo', 'early', 'unread', 'other'][below(5)]!
    const url = `${base}/${1 + below(2)}/${path}`
    if (path === 'other') {
      expect(await textOf(request(url, { agent }).end())).toMatch(/^200 owner /)
      continue
    }
    const body = Buffer.alloc(below(sizes[below(4)]!), 97 + below(26))
    const isChunked = below(2) === 1
    const headers = isChunked ? {} : { 'Content-Length': body.length }
    const outgoing = request(url, { method: 'POST', agent, headers })
    // node:http's client may learn that its request was answered before it has sent all of it.
    const answer = textOf(outgoing)
    await send(outgoing, body, isChunked, below)
    const expected = `200 ${path === 'echo' ? body.toString('latin1') : 'answered'}`
    // Not compared by `expect`, which would print it.
    if ((await answer) !== expected) throw new Error(`${path} of ${body.length} bytes: ${(await answer).slice(0, 200)}`)
  }
  agent.destroy()
}

test('bodies of all sizes that many clients send to two owners at once come back, answered late, early or unread', async () => {
  await using site = new Site()
  await site.listen('/1/')
  await site.listen('/2/')
  await Promise.all(Array.from({ length: CLIENTS }, (_, index) => talk(site.base, SEED + index)))
}, 60_000)
