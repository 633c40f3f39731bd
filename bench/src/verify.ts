import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { HELLO } from './servers/hello.ts'
import { OWNERS } from './variants.ts'

/**
 * Asks every prefix on one keep-alive connection, twice around, for what will be measured and for its owner.
 *
 * @param routes - whether each prefix must be answered by its own process
 * @throws Error saying which path gave what.
 */
export async function verifyAnswers(port: number, routes: boolean): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (const owner of [...OWNERS, ...OWNERS]) {
      const { response, body } = await ask(agent, port, `/${owner}/`)
      if (response.statusCode !== 200) throw new Error(`/${owner}/ answered ${response.statusCode}: ${body}`)
      if (body !== HELLO) throw new Error(`/${owner}/ answered '${body}'`)
      if (response.headers['x-owner'] !== undefined)
        throw new Error(`/${owner}/ names its owner in a measured response`)
      if (!routes) continue
      const answered = (await ask(agent, port, `/${owner}/owner`)).response.headers['x-owner']
      if (answered !== String(owner))
        throw new Error(`/${owner}/ was answered by ${String(answered ?? 'nobody known')}`)
    }
  } finally {
    agent.destroy()
  }
}

async function ask(agent: Agent, port: number, path: string): Promise<{ response: IncomingMessage; body: string }> {
  const [response] = (await once(get({ agent, host: '127.0.0.1', port, path }), 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += String(chunk)
  return { response, body }
}
