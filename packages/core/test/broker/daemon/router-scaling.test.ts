import { expect, test } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { Router } from '../../../src/broker/daemon/router.ts'
import type { PortRoutes } from '../../../src/broker/daemon/router.ts'

const SIZES = [10, 1000, 10_000, 100_000]
const ROUNDS = 20
/** As many more when neighbours use the caches or the CPU: the fastest times only get better, down to what the code costs. */
const MAX_ROUNDS = 300
const MAX_RATIO = 2
/** Requests of one round. */
const LOOKUPS = 10_000
/** Timed at once: short enough to fit between what else the machine does. */
const CHUNK = 500

interface Subject {
  readonly size: number
  readonly routes: PortRoutes<{ index: number }>
  /** Nanoseconds per look-up when the requests are for ten of the prefixes. */
  hot: number
  /** The same when the requests go through all prefixes in turn. */
  spread: number
}

function subjectOf(size: number): Subject {
  const router = new Router<{ index: number }>()
  for (let index = 0; index < size; index++) router.add(UrlPrefix.parse(hrefOf(index)), 8080, { index })
  return { size, routes: router.routesOf(8080), hot: Infinity, spread: Infinity }
}

/** Two levels, as `/tenant-004710/` and `/api/app-004711/`. */
function hrefOf(index: number): string {
  const number = String(index).padStart(6, '0')
  return index % 2 === 0 ? `http://localhost:8080/tenant-${number}/` : `http://localhost:8080/api/app-${number}/`
}

function pathsOf(size: number, indexOf: (request: number) => number): string[] {
  return Array.from({ length: LOOKUPS }, (_, request) => {
    const href = hrefOf(indexOf(request) % size)
    return `${href.slice('http://localhost:8080'.length)}rooms/lobby`
  })
}

/** Sends every request once; returns the nanoseconds per look-up of the fastest chunk. */
function measure({ routes }: Subject, paths: readonly string[]): number {
  let fastest = Infinity
  for (let first = 0; first < LOOKUPS; first += CHUNK) {
    // As the parser gives them: strings that no table has seen.
    const requests = paths.slice(first, first + CHUNK).map((path) => Buffer.from(path).toString('latin1'))
    let found = 0
    const start = process.hrtime.bigint()
    for (const path of requests) if (typeof routes.find('localhost:8080', path, '127.0.0.1', true) === 'object') found++
    fastest = Math.min(fastest, Number(process.hrtime.bigint() - start) / CHUNK)
    if (found !== CHUNK) throw new Error(`${found} of ${CHUNK} look-ups found their prefix`)
  }
  return fastest
}

test('a look-up among 10,000 prefixes takes at most twice as long as among 10', () => {
  const subjects = SIZES.map(subjectOf)
  const hot = SIZES.map((size) => pathsOf(size, (request) => Math.floor(((request % 10) * size) / 10)))
  const spread = SIZES.map((size) => pathsOf(size, (request) => request * 7919))
  // The fastest of many short interleaved chunks is what the code costs; the rest is what else the machine did.
  const [ten, , tenThousand] = subjects as [Subject, Subject, Subject]
  const isWithin = (): boolean => tenThousand.hot <= MAX_RATIO * ten.hot && tenThousand.spread <= MAX_RATIO * ten.spread
  for (let round = 0; round < ROUNDS || (round < MAX_ROUNDS && !isWithin()); round++) {
    for (const [index, subject] of subjects.entries()) {
      subject.spread = Math.min(subject.spread, measure(subject, spread[index]!))
      subject.hot = Math.min(subject.hot, measure(subject, hot[index]!))
    }
  }
  for (const { size, hot, spread } of subjects) {
    const show = (time: number, reference: number): string => {
      return `${time.toFixed(0)} ns (${(time / reference).toFixed(2)} × of 10 prefixes)`
    }
    console.log(
      `${size} prefixes: ten in use ${show(hot, ten.hot)}, all in turn ${show(spread, ten.spread)} per look-up`,
    )
  }
  expect(tenThousand.hot / ten.hot).toBeLessThanOrEqual(MAX_RATIO)
  expect(tenThousand.spread / ten.spread).toBeLessThanOrEqual(MAX_RATIO)
})
