import { freePort, type HttpRequest, loadFailure, readProcessMemory } from '@httpsys/core/measure'
import { HELLO } from '../apps/hello.ts'
import { serverCommand } from '../peers/peer.ts'
import { nginx } from '../peers/nginx.ts'
import { prepareNginx } from '../peers/nginx-config.ts'
import type { Launch, Measure, Scenario, Variant } from '../scenario.ts'
import { countFigures, countMetrics, underLoad } from '../under-load.ts'
import { verifyAnswers } from '../verify.ts'

/** So many different prefixes are asked, spread over all there are. */
const ASKED = 512
/** A broker lets one process have so many. */
const MAX_PER_PROCESS = 10_000

/** Where it is started: the port, and how many prefixes it took a second. */
interface Started {
  readonly port: number
  readonly perSecond: number
}

type Start = (launch: Launch, count: number) => Promise<Started>

/** What many prefixes cost. */
export const prefixes: Scenario = {
  name: 'prefixes',
  title: '10 to 100,000 prefixes',
  about: `One process owns up to ${MAX_PER_PROCESS.toLocaleString('en')} of them, which is what a broker allows; ${ASKED} of them all are asked in turn. How many are registered a second, and what a request costs then.`,
  metrics: [
    ...countMetrics('request'),
    { key: 'register', title: 'prefixes/s', digits: 0, better: 'more' },
    { key: 'memory', title: 'MiB', digits: 0, better: 'less' },
  ],
  references: ['httpsys-10'],
  variants: [
    ...[10, 1_000, 10_000, 100_000].map((count) =>
      variant(`httpsys-${count}`, 'httpsys', count, () => undefined, claimMany),
    ),
    // At 100,000 nginx needs more than a minute and a gigabyte for its configuration.
    ...[10, 1_000, 10_000].map((count) =>
      variant(`nginx-${count}`, 'nginx → node:http', count, () => nginx.unavailable(), configureMany),
    ),
  ],
}

function variant(
  name: string,
  title: string,
  count: number,
  unavailable: Variant['unavailable'],
  start: Start,
): Variant {
  return {
    name,
    title: `${title}, ${count.toLocaleString('en')} prefixes`,
    unavailable,
    // How fast they are registered is measured in each round.
    isFresh: true,
    start: (launch) => startPrefixes(launch, start, count),
  }
}

async function startPrefixes(launch: Launch, start: Start, wanted: number): Promise<Measure> {
  const { conditions, group } = launch
  const count = conditions.isSmoke ? Math.min(wanted, 100) : wanted
  const { port, perSecond } = await start(launch, count)
  const asked = Math.min(count, ASKED)
  const requests: HttpRequest[] = Array.from({ length: asked }, (_, index) => {
    return { method: 'GET', path: `/p/${Math.floor((index * count) / asked)}/` }
  })
  await verifyAnswers({ port, tls: false }, requests, { answerBytes: HELLO.length, routes: false })
  const { load, connections, pinning } = conditions
  const measure = await underLoad(launch, async (seconds) => {
    const result = await load.run({ port, requests, connections, seconds, cpu: pinning?.loadCpu })
    const failure = loadFailure(result)
    if (failure !== undefined) throw new Error(failure)
    const { p50, p99, p999 } = result
    return { count: result.requests, seconds: result.seconds, latency: { p50, p99, p999 } }
  })
  return async () => {
    const { values, ...figures } = countFigures(await measure())
    const bytes = group.members().reduce((sum, { pid }) => sum + readProcessMemory(pid), 0)
    return { ...figures, values: { ...values, register: perSecond, memory: bytes / 2 ** 20 } }
  }
}

async function claimMany(launch: Launch, count: number): Promise<Started> {
  const port = await freePort()
  const env = { HTTPSYS_BASE: `http://127.0.0.1:${port}` }
  let milliseconds = 0
  for (let first = 0; first < count; first += MAX_PER_PROCESS) {
    const command = serverCommand(
      launch,
      'many-prefixes',
      String(first),
      String(Math.min(count - first, MAX_PER_PROCESS)),
    )
    // oxlint-disable-next-line no-await-in-loop -- they share one CPU
    milliseconds += Number(await launch.group.startReady({ role: 'owners', childRole: 'broker', command, env }))
  }
  return { port, perSecond: count / (milliseconds / 1e3) }
}

async function configureMany(launch: Launch, count: number): Promise<Started> {
  const command = serverCommand(launch, 'serve', 'hello', 'port', '0')
  const ownerPort = Number(await launch.group.startReady({ role: 'owner', command }))
  const port = await freePort()
  const { directory, conditions } = launch
  const paths = Array.from({ length: count }, (_, index) => `/p/${index}/`)
  const started = performance.now()
  await launch.group.startOn(
    {
      role: 'nginx',
      command: prepareNginx({
        directory,
        port,
        ownerPorts: [ownerPort],
        isStripped: false,
        connections: conditions.connections,
        morePaths: paths,
      }),
    },
    port,
  )
  return { port, perSecond: count / ((performance.now() - started) / 1e3) }
}
