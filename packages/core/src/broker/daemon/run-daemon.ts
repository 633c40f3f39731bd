import { chmodSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { HttpSysError } from '../../base/errors.ts'
import { isBroken } from '../../base/url-prefix-syntax.ts'
import { useUsualPolicy } from '../../sockets/batch-policy.ts'
import type { Engine } from '../engine/engine.ts'
import { openEngine } from '../engine/open-engine.ts'
import { deliveryChoice } from '../rings/delivery.ts'
import type { Delivery } from '../rings/delivery.ts'
import { configDirectory } from '../rendezvous/config-directory.ts'
import { EstateFile, readEstate } from '../rendezvous/estate.ts'
import { runtimeDirectory } from '../rendezvous/runtime-directory.ts'
import { idsOfUser } from '../rendezvous/users.ts'
import { authorizer } from './authorization.ts'
import { Broker } from './broker.ts'
import { http2Choice } from './http2/http2-choice.ts'
import type { Http2Choice } from './http2/http2-choice.ts'
import { LocalSocket } from './local-socket.ts'
import { inheritedSockets, startSuccessor, whenLetGo } from './successor.ts'
import { readServerLimits } from './server-limits.ts'
import type { ServerLimits } from './server-limits.ts'

/** How `httpsys serve` runs a broker. */
export interface ServeOptions {
  /** Processes of other users may connect; they claim what is reserved for them. */
  readonly isShared: boolean
  /** Whom to become once the ports are bound. */
  readonly user?: string | undefined
  /** Ports to keep open on all addresses, since they can't be bound later. */
  readonly ports: readonly number[]
  /** They count more than the environment's. */
  readonly limits: Partial<ServerLimits>
}

const MAX_DEFAULT_THREADS = 4

/** For a successor: the options of the broker that it follows, without the user, whom it is already. */
const SERVE_VARIABLE = 'HTTPSYS_SERVE'

/** The options of a successor; undefined for a broker that an app has started. */
export function inheritedOptions(): ServeOptions | undefined {
  const text = process.env[SERVE_VARIABLE]
  return text === undefined ? undefined : (JSON.parse(text) as ServeOptions)
}

/**
 * Runs a broker in this process: one that somebody serves stays until it is told to end, one that an app has started leaves when no
 * owner has been connected for a while.
 *
 * @throws HttpSysError `EADDRINUSE` when somebody serves and a broker runs already, or a port is taken; `EACCES`
 */
export async function runDaemon(serve?: ServeOptions): Promise<void> {
  // The owner that has started it may have another.
  useUsualPolicy()
  const idleExitMs = readMilliseconds('HTTPSYS_BROKER_IDLE_EXIT', 10_000)
  const directory = runtimeDirectory()
  const isShared = serve?.isShared === true
  const inherited = inheritedSockets()
  if (isShared && inherited === undefined) chmodSync(directory, 0o755)
  // For a successor, who may be another user and would look elsewhere.
  process.env['HTTPSYS_RUNTIME_DIR'] = directory
  process.env['HTTPSYS_CONFIG_DIR'] = configDirectory()
  if (serve !== undefined) process.env[SERVE_VARIABLE] = JSON.stringify({ ...serve, user: undefined })
  const unpublished = inherited === undefined ? await LocalSocket.prepare(directory) : undefined
  let timer: NodeJS.Timeout | undefined
  const leaveWhenIdle = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      if (broker.isIdle) leave()
    }, idleExitMs)
  }
  let hasSuccessor = false
  const file = new EstateFile(directory, () => broker.estate)
  const leave = (): void => {
    void broker.close().then(() => {
      if (!hasSuccessor) file.write()
      process.exit(0)
    })
  }
  const { engine, note } = openEngine(process.env['HTTPSYS_ENGINE'])
  if (note !== undefined) console.error(`using the ${engine.name} engine: ${note}`)
  const broker: Broker = await Broker.start({
    engine,
    engineNote: note,
    delivery: readDelivery(),
    local: unpublished?.endpoint,
    threads: readThreads(engine),
    limits: { ...readLimits(), ...serve?.limits },
    http2: readHttp2(),
    configDirectory: configDirectory(),
    runtimeDirectory: directory,
    onProblem: (text) => console.error(`${new Date().toISOString()} ${text}`),
    onIdle: serve === undefined ? leaveWhenIdle : () => {},
    authorize: authorizer(directory, isShared),
    onClaimsChanged: (claimed) => {
      // The file is the successor's.
      if (hasSuccessor) return
      if (claimed === undefined) file.touch()
      else file.add(claimed)
    },
    onUpgrade: async (payload) => {
      // Sockets that the threads are still to get would be missing for good.
      await broker.startThreads()
      const successor = await startSuccessor(payload, broker.inheritance)
      const onLetGo = (): void => {
        file.write()
        hasSuccessor = true
        successor.letIn()
      }
      // The answer goes first.
      setImmediate(() => void broker.leave(onLetGo).then(() => process.exit(0)))
      return successor.pid
    },
    onViolation: (pid, error) =>
      console.error(`${new Date().toISOString()} process ${pid} was cut off: ${String(error)}`),
  })
  if (inherited === undefined) broker.inherit(readEstate(directory), false)
  if (unpublished !== undefined && !(await unpublished.publish(isShared))) {
    await broker.close()
    if (serve !== undefined) throw runsAlready(directory)
    process.exit(0)
  }
  void broker.startThreads()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, leave)
  }
  // The terminal that the first owner ran in may close.
  process.on('SIGHUP', () => {})
  if (inherited !== undefined) {
    // Some of the sockets are theirs.
    await broker.startThreads()
    if (!(await whenLetGo())) process.exit(0)
    broker.inherit(readEstate(directory), true)
    await broker.openInheritedPorts(inherited.ports, serve?.ports)
    return broker.listenForOwners({ kind: 'descriptor', descriptor: inherited.local })
  }
  // Sockets beside those that root binds are root's to open; then no client comes before root's rights are given up.
  if (serve?.user !== undefined) await broker.startThreads()
  await broker.openInheritedPorts([])
  try {
    await broker.keepPorts(serve?.ports ?? [])
  } catch (error) {
    await broker.close()
    throw error
  }
  if (serve?.user !== undefined) becomeUser(serve.user, file)
}

/** A thread for each four processors, up to four: the owners need the others. */
function readThreads(engine: Engine): number {
  const text = process.env['HTTPSYS_BROKER_THREADS']
  const byProcessors = Math.max(1, Math.min(MAX_DEFAULT_THREADS, Math.floor(availableParallelism() / 4)))
  const isGiven = text !== undefined && /^[1-9]\d?$/.test(text)
  if (text && !isGiven) {
    console.error(`HTTPSYS_BROKER_THREADS is "${text}", not a number from 1 to 99: using ${byProcessors}`)
  }
  const count = isGiven ? Number(text) : byProcessors
  if (count === 1 || engine.adopt !== undefined) return count
  if (isGiven) console.error(`HTTPSYS_BROKER_THREADS is ${count}, but only the uring engine has threads: using 1`)
  return 1
}

function readDelivery(): Delivery | undefined {
  try {
    return deliveryChoice(process.env)
  } catch (error) {
    console.error(`${String(error)}: giving owners what they ask for`)
    return undefined
  }
}

function readLimits(): Partial<ServerLimits> {
  const limits = readServerLimits(process.env)
  if (!isBroken(limits)) return limits
  console.error(`${limits.reason}: using HTTP.SYS's limits. ${limits.remedy}.`)
  return {}
}

function readHttp2(): Http2Choice | undefined {
  const choice = http2Choice(process.env)
  const text = process.env['HTTPSYS_HTTP2']
  if (text && choice === undefined) console.error(`HTTPSYS_HTTP2 is "${text}", not off, tls or all: using tls`)
  return choice
}

/** Gives up root's rights for good. */
function becomeUser(user: string, file: EstateFile): void {
  const { uid, gid } = idsOfUser(user)
  file.giveTo(uid, gid)
  process.setgroups!([gid])
  process.setgid!(gid)
  process.setuid!(uid)
}

function runsAlready(directory: string): HttpSysError {
  return new HttpSysError({
    code: 'EADDRINUSE',
    syscall: 'listen',
    subject: `runtime directory ${directory}`,
    reason: 'a broker runs there already',
    remedy: 'Replace it with httpsys upgrade, or end it first: httpsys status shows its process.',
  })
}

/** A wrong value must not keep the apps from listening: it is noted, and the default used. */
function readMilliseconds(name: string, otherwise: number): number {
  const text = process.env[name]
  if (!text) return otherwise
  if (/^\d{1,9}$/.test(text)) return Number(text)
  console.error(`${name} is "${text}", not a number of milliseconds: using ${otherwise}`)
  return otherwise
}
