// autocannon in a process of its own, so that it can be pinned and its CPU is told from the harness's. Reads an HttpTarget as JSON
// and prints a LoadResult.
import { text } from 'node:stream/consumers'
import { type HttpTarget, type LoadResult, rotate } from '@httpsys/core/measure'
import autocannon from 'autocannon'

const target = JSON.parse(await text(process.stdin)) as HttpTarget
const requests = target.requests.map(({ method, path, headers, body }) => ({
  method: method as 'GET',
  path,
  ...(headers === undefined ? {} : { headers }),
  ...(body === undefined ? {} : { body }),
}))
let started = 0

const result = await autocannon({
  url: `${target.tls === true ? 'https' : 'http'}://127.0.0.1:${target.port}`,
  connections: target.connections,
  duration: target.seconds,
  requests,
  ...(target.rate === undefined ? {} : { overallRate: target.rate }),
  // Each connection starts elsewhere in the cycle; all of them on one owner at a time would be bursts nobody sends.
  setupClient: (client) => client.setRequests(rotate(requests, started++)),
})

const report: LoadResult = {
  requests: result.requests.total,
  bytes: result.throughput.total,
  seconds: result.duration,
  p50: result.latency.p50,
  p99: result.latency.p99,
  p999: result.latency.p99_9,
  badStatuses: result.non2xx,
  socketErrors: result.errors,
}
console.log(JSON.stringify(report))
