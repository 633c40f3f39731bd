import { once } from 'node:events'
import { Agent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as TlsAgent, request as requestHttps } from 'node:https'
import type { HttpRequest } from '@httpsys/core/measure'

/** What is right. */
export interface Expectation {
  /** Bytes of the body of each answer. */
  readonly answerBytes: number
  /** Whether each prefix must be answered by its own process. */
  readonly routes: boolean
}

/** Where to ask. */
export interface Address {
  readonly port: number
  readonly tls: boolean
}

interface Answer {
  readonly response: IncomingMessage
  readonly bytes: number
  readonly start: string
}

/**
 * Asks for everything that will be measured on one keep-alive connection, twice around, and for the owner of each prefix.
 *
 * @throws Error saying which path gave what
 */
export async function verifyAnswers(
  address: Address,
  requests: readonly HttpRequest[],
  { answerBytes, routes }: Expectation,
): Promise<void> {
  const options = { keepAlive: true, maxSockets: 1 }
  const agent = address.tls ? new TlsAgent({ ...options, rejectUnauthorized: false }) : new Agent(options)
  try {
    for (const request of [...requests, ...requests]) {
      const { path } = request
      const { response, bytes, start } = await ask(agent, address, request)
      if (response.statusCode !== 200) throw new Error(`${path} answered ${response.statusCode}: ${start}`)
      if (bytes !== answerBytes) throw new Error(`${path} answered ${bytes} bytes, not ${answerBytes}: '${start}'`)
      if (response.headers['x-owner'] !== undefined) throw new Error(`${path} names its owner in a measured response`)
      if (routes) await verifyOwner(agent, address, path.split('/')[1] ?? '')
    }
  } finally {
    agent.destroy()
  }
}

/**
 * Asks each owner who it is.
 *
 * @throws Error saying who answered instead
 */
export async function verifyOwners(port: number, owners: readonly number[]): Promise<void> {
  const agent = new Agent()
  try {
    for (const owner of owners) await verifyOwner(agent, { port, tls: false }, String(owner))
  } finally {
    agent.destroy()
  }
}

async function verifyOwner(agent: Agent | TlsAgent, address: Address, owner: string): Promise<void> {
  const { response } = await ask(agent, address, { method: 'GET', path: `/${owner}/owner` })
  const answered = response.headers['x-owner']
  if (answered !== owner) throw new Error(`/${owner}/ was answered by ${String(answered ?? 'nobody known')}`)
}

async function ask(agent: Agent | TlsAgent, { port, tls }: Address, asked: HttpRequest): Promise<Answer> {
  const { method, path, headers = {}, body } = asked
  const request = (tls ? requestHttps : requestHttp)({ agent, host: '127.0.0.1', port, method, path, headers })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let bytes = 0
  let start = ''
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (start === '') start = chunk.toString('latin1', 0, 200)
    bytes += chunk.length
  }
  return { response, bytes, start }
}
