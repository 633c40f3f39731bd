import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort, median, readMachineCpu, readHarnessCpu, readMembersCpu } from '@httpsys/core/measure'
import { nginx } from '../peers/nginx.ts'
import { prepareNginx } from '../peers/nginx-config.ts'
import { serverCommand } from '../peers/peer.ts'
import type { Figures, Launch, Scenario } from '../scenario.ts'

/** Resolves to the port when the app with this number has started. */
type StartApp = (launch: Launch, number: number) => Promise<number>

const REPEATS = 3
const GIVE_UP_MS = 10_000

/** How long it takes until there is an answer. */
export const startUp: Scenario = {
  name: 'start-up',
  title: 'From nothing to the first response',
  about: `A hello world is started and asked until it answers; on a shared port the first one starts the broker too. Median of ${REPEATS} starts, all on one CPU.`,
  metrics: [
    { key: 'first', title: 'first app ms', digits: 0, better: 'less' },
    { key: 'second', title: 'second app ms', digits: 0, better: 'less' },
    { key: 'cpu', title: 'CPU ms for both', digits: 0, better: 'less' },
  ],
  references: ['node'],
  variants: [
    variant('node', 'node:http on a port of its own', () => undefined, startOnPort),
    variant('httpsys', 'httpsys', () => undefined, startShared),
    variant('nginx', 'nginx → node:http, nginx for each', () => nginx.unavailable(), startBehindNginx),
  ],
}

function variant(name: string, title: string, unavailable: () => string | undefined, start: StartApp) {
  return {
    name,
    title,
    unavailable,
    isFresh: true,
    start: async (launch: Launch) => () => measureStart(launch, start),
  }
}

async function measureStart(launch: Launch, start: StartApp): Promise<Figures> {
  const { group, conditions } = launch
  const times: { first: number; second: number; cpu: number }[] = []
  const from = { machine: readMachineCpu(), harness: readHarnessCpu(), time: performance.now() }
  let known = 0
  for (let repeat = 0; repeat < (conditions.isSmoke ? 1 : REPEATS); repeat++) {
    shared.clear()
    const first = await untilAnswered(() => start(launch, 1), 1)
    const second = await untilAnswered(() => start(launch, 2), 2)
    const nanoseconds = (readMembersCpu(group.members()) ?? []).reduce((sum, cpu) => sum + cpu.nanoseconds, 0)
    times.push({ first, second, cpu: nanoseconds / 1e6 })
    known += nanoseconds / 1e9
    await group.stop()
  }
  const to = { machine: readMachineCpu(), harness: readHarnessCpu(), time: performance.now() }
  const busy = to.machine.busy - from.machine.busy + to.machine.stolen - from.machine.stolen
  return {
    values: {
      first: median(times.map(({ first }) => first)),
      second: median(times.map(({ second }) => second)),
      cpu: median(times.map(({ cpu }) => cpu)),
    },
    roles: {},
    foreignLoad: Math.max(0, (busy - known - to.harness + from.harness) / ((to.time - from.time) / 1e3)),
  }
}

/** Milliseconds from the start to a response with status 200. */
async function untilAnswered(start: () => Promise<number>, number: number): Promise<number> {
  const started = performance.now()
  const port = await start()
  for (;;) {
    const status = await statusOf(port, `/${number}/`)
    const elapsed = performance.now() - started
    if (status === 200) return elapsed
    if (elapsed > GIVE_UP_MS) throw new Error(`/${number}/ answered ${status ?? 'nothing'}`)
    await delay(1)
  }
}

async function statusOf(port: number, path: string): Promise<number | undefined> {
  const request = get({ host: '127.0.0.1', port, path, agent: false })
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    await once(response, 'end')
    return response.statusCode
  } catch {
    return undefined
  }
}

function startOnPort(launch: Launch, number: number): Promise<number> {
  return startServer(launch, 'port', number, {})
}

/** Port of the apps that run now, by their launch. */
const shared = new Map<Launch, number>()

async function startShared(launch: Launch, number: number): Promise<number> {
  const port = shared.get(launch) ?? (await freePort())
  shared.set(launch, port)
  await startServer(launch, 'prefix', number, { HTTPSYS_BASE: `http://127.0.0.1:${port}` })
  return port
}

async function startBehindNginx(launch: Launch, number: number): Promise<number> {
  const ownerPort = await startServer(launch, 'port', number, {})
  const port = await freePort()
  // The owner of each prefix up to this one; only the last is asked.
  const ownerPorts = Array<number>(number).fill(ownerPort)
  const directory = `${launch.directory}/${port}`
  const command = prepareNginx({ directory, port, ownerPorts, isStripped: false, connections: 8 })
  await launch.group.startOn({ role: 'nginx', command }, port)
  return port
}

async function startServer(launch: Launch, where: string, number: number, env: NodeJS.ProcessEnv): Promise<number> {
  const command = serverCommand(launch, 'serve', 'hello', where, String(number))
  return Number(await launch.group.startReady({ role: 'apps', childRole: 'broker', command, env }))
}
