// The load generator where wrk is missing, in a process of its own so that it can be pinned and its CPU is told from the
// harness's. Argument: { port, paths, connections, seconds } as JSON; prints a LoadResult as JSON.
import autocannon from 'autocannon'
import type { LoadResult, LoadTarget } from './load.ts'
import { rotate } from './statistics.ts'

const target = JSON.parse(process.argv[2] ?? '{}') as LoadTarget
const requests = target.paths.map((path) => ({ method: 'GET', path }))
let started = 0

const result = await autocannon({
  url: `http://127.0.0.1:${target.port}`,
  connections: target.connections,
  duration: target.seconds,
  requests,
  // Each connection starts elsewhere in the cycle; all of them on one owner at a time would be bursts nobody sends.
  setupClient: (client) => client.setRequests(rotate(requests, started++)),
})

const report: LoadResult = {
  requests: result.requests.total,
  seconds: result.duration,
  p50: result.latency.p50,
  p99: result.latency.p99,
  badStatuses: result.non2xx,
  socketErrors: result.errors,
}
console.log(JSON.stringify(report))
