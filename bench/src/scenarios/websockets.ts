import { haproxy } from '../peers/haproxy.ts'
import { httpsys } from '../peers/httpsys.ts'
import { nginx } from '../peers/nginx.ts'
import { node } from '../peers/node.ts'
import { httpProxy } from '../peers/npm-proxies.ts'
import { runWebSockets } from '../loads/websocket.ts'
import type { Peer } from '../peers/peer.ts'
import type { Launch, Measure, Scenario } from '../scenario.ts'
import { countFigures, countMetrics, underLoad } from '../under-load.ts'
import { verifyOwners } from '../verify.ts'

/** Members of each room. */
const MEMBERS = 16
const MESSAGE_BYTES = 64

export const echo = webSocketScenario({
  name: 'websocket-echo',
  title: 'WebSocket echo',
  about:
    'Eight connections to each of eight apps with ws, each sending a message of 64 bytes when the last one has come back. The clients, in Node as well, are slower than the servers, so this is no saturation.',
  path: 'echo',
  perOwner: 8,
  fanOut: 1,
})

export const chat = webSocketScenario({
  name: 'websocket-chat',
  title: 'Chat: a room of 16 in each of eight apps',
  about:
    'Every message of 64 bytes goes to all sixteen members of its room; each member sends again when its own has come back. The cost is that of a message received.',
  path: 'room',
  perOwner: MEMBERS,
  fanOut: MEMBERS,
})

interface WebSocketSpec {
  readonly name: string
  readonly title: string
  readonly about: string
  readonly path: string
  readonly perOwner: number
  readonly fanOut: number
}

function webSocketScenario(spec: WebSocketSpec): Scenario {
  const { name, title, about } = spec
  return {
    name,
    title,
    about,
    metrics: countMetrics('message'),
    references: ['node', 'nginx'],
    variants: [node, httpsys, nginx, haproxy, httpProxy].map((peer) => ({
      name: peer.name,
      title: peer.title('websocket'),
      unavailable: () => peer.unavailable(),
      start: (launch) => startWebSockets(launch, peer, spec),
    })),
  }
}

async function startWebSockets(launch: Launch, peer: Peer, spec: WebSocketSpec): Promise<Measure> {
  const { conditions } = launch
  const port = await peer.start(launch, 'websocket', {})
  await verifyOwners(port, peer.routes ? conditions.owners : [])
  const paths = conditions.owners.flatMap((owner) => Array<string>(spec.perOwner).fill(`/${owner}/${spec.path}`))
  const measure = await underLoad(launch, async (seconds) => {
    const target = { port, paths, messageBytes: MESSAGE_BYTES, fanOut: spec.fanOut, seconds }
    const { messages, p50, p99, p999, ...result } = await runWebSockets(target, conditions.pinning?.loadCpu)
    return { count: messages, seconds: result.seconds, latency: { p50, p99, p999 } }
  })
  return async () => countFigures(await measure())
}
