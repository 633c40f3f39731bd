import { formatRequest, type HttpRequest } from './http-request.ts'
import type { LoadResult } from './http-load.ts'

/**
 * The Lua script that lets wrk send the requests.
 *
 * wrk calls `request()` per thread, not per connection. A plain round-robin over 8 requests with 64 connections that are answered in
 * order would hand each connection the same one for ever, so the order is shuffled anew for every pass: each request is sent equally
 * often, and each connection meets all of them.
 */
export function wrkScript(requests: readonly HttpRequest[], host: string): string {
  const texts = requests.map((request) => `  ${luaString(formatRequest(request, host))},\n`).join('')
  return `local PASSES = 512
local different = {
${texts}}
local requests = {}
local position = 0

function init()
  math.randomseed(20) -- the same order in every run
  for _ = 1, PASSES do
    local pass = {}
    for index, text in ipairs(different) do pass[index] = text end
    for index = #pass, 2, -1 do
      local other = math.random(index)
      pass[index], pass[other] = pass[other], pass[index]
    end
    for _, text in ipairs(pass) do requests[#requests + 1] = text end
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "measured requests=%d bytes=%.0f microseconds=%d p50=%d p99=%d p999=%d connect=%d read=%d write=%d timeout=%d status=%d\\n",
    summary.requests, summary.bytes, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
`
}

/**
 * Reads the line that the script prints at the end.
 *
 * @throws Error with wrk's output when the line isn't there
 */
export function parseWrk(output: string): LoadResult {
  const line = /^measured (.*)$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`wrk gave no result: ${output.trim() || 'no output'}`)
  const values = new Map(line.split(' ').map((pair) => [pair.split('=')[0], Number(pair.split('=')[1])]))
  const value = (key: string): number => {
    const number = values.get(key)
    if (number === undefined || Number.isNaN(number)) throw new Error(`wrk's result has no ${key}: ${line}`)
    return number
  }
  return {
    requests: value('requests'),
    bytes: value('bytes'),
    seconds: value('microseconds') / 1e6,
    p50: value('p50') / 1e3,
    p99: value('p99') / 1e3,
    p999: value('p999') / 1e3,
    badStatuses: value('status'),
    socketErrors: value('connect') + value('read') + value('write') + value('timeout'),
  }
}

/** A Lua literal of any bytes; what is no plain character is written as three digits. */
function luaString(bytes: Buffer): string {
  const text = bytes.toString('latin1').replace(/[^\w /:.,;=*+()?&-]/g, (character) => {
    return `\\${character.charCodeAt(0).toString().padStart(3, '0')}`
  })
  return `"${text}"`
}
