import { builtInLoad, type HttpRequest, loadFailure, type LoadGenerator, type LoadResult } from '@httpsys/core/measure'
import type { AppName } from '../apps/app.ts'
import type { Peer, PeerOptions } from '../peers/peer.ts'
import type { Launch, Measure, Scenario } from '../scenario.ts'
import { BYTE_METRICS, byteFigures, countFigures, countMetrics, underLoad } from '../under-load.ts'
import { verifyAnswers } from '../verify.ts'

/** A scenario that asks an app the same over HTTP/1.1, again and again. */
export interface HttpScenarioSpec {
  readonly name: string
  readonly title: string
  readonly about: string
  readonly app: AppName
  readonly peers: readonly Peer[]
  readonly references: readonly string[]
  readonly options?: PeerOptions
  /** Owners whose prefixes are asked. @defaultValue all */
  readonly owners?: readonly number[]
  /** The request, with its path below the prefix. */
  readonly request?: Partial<HttpRequest>
  /** Bytes of the body of each answer. */
  readonly answerBytes: number
  /** Measured in bytes and not in requests: which way they go. */
  readonly bytes?: 'up' | 'down'
  /** Few clients move large bodies; more only hold memory. */
  readonly connections?: number
  /** What asks. @defaultValue what the conditions say, and for a rate the built-in one */
  readonly load?: LoadGenerator
  /** Requests a second that are sent whatever comes back. @defaultValue as many as come */
  readonly rate?: number
}

/** node:http alone may serve one large body for seconds before it comes to the next. */
const BODY_TIMEOUT_S = 10

/** What code that has just been started can do, on any machine. */
const SMOKE_RATE = 100

/** The scenario of a specification: a variant for each peer. */
export function httpScenario(spec: HttpScenarioSpec): Scenario {
  const { name, title, about, app, peers, references, bytes } = spec
  return {
    name,
    title,
    about,
    references,
    metrics: bytes === undefined ? countMetrics('request') : BYTE_METRICS,
    variants: peers.map((peer) => ({
      name: peer.name,
      title: peer.title(app),
      unavailable: () => peer.unavailable(),
      start: (launch) => startHttp(launch, peer, spec),
    })),
  }
}

async function startHttp(launch: Launch, peer: Peer, spec: HttpScenarioSpec): Promise<Measure> {
  const { app, options = {}, owners = launch.conditions.owners, answerBytes, bytes, request } = spec
  const rate = spec.rate !== undefined && launch.conditions.isSmoke ? SMOKE_RATE : spec.rate
  const port = await peer.start(launch, app, options)
  const requests = owners.map((owner) => requestOf(owner, request))
  const tls = options.tls === true
  await verifyAnswers({ port, tls }, requests, { answerBytes, routes: peer.routes })

  const { load, pinning } = launch.conditions
  const connections = Math.min(spec.connections ?? Number.POSITIVE_INFINITY, launch.conditions.connections)
  const generator = spec.load ?? (rate === undefined ? load : builtInLoad)
  const measure = await underLoad(launch, async (seconds) => {
    const patience = bytes === undefined ? {} : { timeoutSeconds: BODY_TIMEOUT_S }
    const target = { port, tls, requests, connections, seconds, cpu: pinning?.loadCpu, ...patience }
    const result = await generator.run(rate === undefined ? target : { ...target, rate })
    const failure = loadFailure(result)
    if (failure !== undefined) throw new Error(failure)
    const { p50, p99, p999 } = result
    const size = bytes === 'up' ? (requests[0]?.body?.length ?? 0) * result.requests : result.bytes
    const lateness = latenessOf(result, rate)
    return { count: result.requests, bytes: size, seconds: result.seconds, latency: { p50, p99, p999 }, lateness }
  })
  return async () => (bytes === undefined ? countFigures(await measure()) : byteFigures(await measure()))
}

/** A generator that could not send what was asked for has measured something else. */
function latenessOf(result: LoadResult, rate: number | undefined): string | undefined {
  const reached = result.requests / result.seconds
  if (rate === undefined || reached > rate * 0.97) return undefined
  return `${Math.round(reached)} requests/s answered of ${rate}: overloaded`
}

function requestOf(
  owner: number,
  { method = 'GET', path = '', headers, body }: Partial<HttpRequest> = {},
): HttpRequest {
  return {
    method,
    path: `/${owner}/${path}`,
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
  }
}
