import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { MISS_AMBIGUOUS, MISS_HOST, MISS_PATH, Router } from '../../../src/broker/daemon/router.ts'

/** The router's rules once more, over a plain list and by string replacement: slow, short, and without anything in common. */
function referenceRoute(prefixes: readonly UrlPrefix[], request: Request): UrlPrefix | number {
  const ranked = prefixes
    .map((prefix) => ({ prefix, rank: rankOf(prefix, request) }))
    .filter(({ rank }) => rank > 0)
    .toSorted((a, b) => b.rank - a.rank || b.prefix.segmentCount - a.prefix.segmentCount)
    .map(({ prefix }) => prefix)
  if (ranked.length === 0) return MISS_HOST
  const found = new Set<UrlPrefix | number>()
  for (const reading of readingsOf(request.path)) {
    const path = `${reading.map((segment) => unescaped(segment).toLowerCase()).join('\0')}\0`
    const hasPath = (prefix: UrlPrefix): boolean => {
      return path.startsWith(prefix.path.toLowerCase().slice(1).replaceAll('/', '\0'))
    }
    found.add(ranked.find(hasPath) ?? MISS_PATH)
  }
  return found.size === 1 ? [...found][0]! : MISS_AMBIGUOUS
}

/** The higher, the stronger; 0 for none. */
function rankOf({ host, category, isLoopback }: UrlPrefix, request: Request): number {
  if (isLoopback && !request.isLoopback) return 0
  if (category === 'strong-wildcard') return 1000
  if (host === request.host) return 900
  if (host === 'localhost' && /^127\.|^\[::1\]$/.test(request.host)) return 800
  if (host === request.localAddress || host === `[${request.localAddress}]`) return 700
  if (category === 'subdomain-wildcard') return request.host.endsWith(host.slice(1)) ? 100 + host.length : 0
  return category === 'weak-wildcard' ? 1 : 0
}

function* readingsOf(path: string): Generator<string[]> {
  const choices = [false, true]
  for (const splitsSlash of choices) {
    for (const splitsBackslash of choices) {
      for (const dropsEmpty of choices) {
        for (const resolvesDots of choices) {
          for (const resolvesEscapedDots of choices) {
            let text = path
            if (splitsSlash) text = text.replace(/%2f/gi, '/')
            if (splitsBackslash) text = text.replace(/\\|%5c/gi, '/')
            const segments: string[] = []
            for (const segment of text.split('/').slice(1)) {
              const isResolved = segment.includes('%') ? resolvesEscapedDots : resolvesDots
              const plain = isResolved ? unescaped(segment) : segment
              if (segment === '' && dropsEmpty) continue
              if (isResolved && plain === '.') continue
              if (isResolved && plain === '..') segments.pop()
              else segments.push(segment)
            }
            yield segments
          }
        }
      }
    }
  }
}

function unescaped(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

interface Request {
  readonly host: string
  readonly path: string
  readonly localAddress: string
  readonly isLoopback: boolean
}

const PORT = 80

const prefixHost = fc.constantFrom(
  '+',
  '*',
  'localhost',
  '127.0.0.1',
  '[::1]',
  '10.0.0.1',
  '[2001:db8::1]',
  'b.a.de',
  'c.b.a.de',
  '*.de',
  '*.a.de',
  '*.b.a.de',
)
const prefixSegment = fc.constantFrom('a', 'b', 'B', 'ab', 'ä')
const prefix = fc
  .record({ host: prefixHost, segments: fc.array(prefixSegment, { maxLength: 3 }) })
  .map(({ host, segments }) => {
    return UrlPrefix.parse(`http://${host}:${PORT}/${segments.map((segment) => `${segment}/`).join('')}`)
  })
const plainPath = fc
  .array(fc.constantFrom('a', 'A', 'b', 'ab', '%C3%A4', '%c3%84', '%61', 'c', '%zz'), { maxLength: 4 })
  .map((segments) => `/${segments.join('/')}`)
const trickyPath = fc
  .array(
    fc.constantFrom('/', '/', '/', '%2F', '%2f', '\\', '%5c', '.', '..', '%2e', '.%2E', '%2e%2e', 'a', 'b', 'A', '%61'),
    { maxLength: 12 },
  )
  .map((pieces) => `/${pieces.join('')}`)
const request: fc.Arbitrary<Request> = fc.record({
  host: fc.constantFrom(
    'localhost',
    '127.0.0.1',
    '127.1.2.3',
    '[::1]',
    '10.0.0.1',
    'b.a.de',
    'c.b.a.de',
    'd.c.b.a.de',
    'x',
  ),
  path: fc.oneof(plainPath, trickyPath),
  localAddress: fc.constantFrom('127.0.0.1', '::1', '10.0.0.1', '10.0.0.2', '2001:db8::1'),
  isLoopback: fc.boolean(),
})

function find(router: Router<UrlPrefix>, { host, path, localAddress, isLoopback }: Request): UrlPrefix | number {
  return router.routesOf(PORT).find(host, path, localAddress, isLoopback)
}

test('routes as a plain list of prefixes does, also after some have been removed', () => {
  const outcomes = new Map<string, number>()
  fc.assert(
    fc.property(
      fc.uniqueArray(prefix, { minLength: 1, maxLength: 12, selector: ({ key }) => key }),
      fc.nat(6),
      fc.array(request, { minLength: 5, maxLength: 10 }),
      (prefixes, removed, requests) => {
        const router = new Router<UrlPrefix>()
        for (const each of prefixes) expect(router.add(each, PORT, each)).toBeUndefined()
        for (const each of prefixes.slice(0, removed)) expect(router.remove(each, PORT)).toBe(true)
        const left = prefixes.slice(removed)
        for (const each of requests) {
          const expected = referenceRoute(left, each)
          expect(find(router, each)).toBe(expected)
          const outcome = typeof expected === 'number' ? String(expected) : expected.category
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        }
      },
    ),
    { numRuns: 1500 },
  )
  // A generator that never gets to one of the outcomes would prove nothing about it.
  const rarest = Math.min(...outcomes.values())
  expect(outcomes.size).toBe(8)
  expect(rarest).toBeGreaterThan(20)
})

test('takes any path and any host without throwing', () => {
  const router = new Router<UrlPrefix>()
  const root = UrlPrefix.parse(`http://*:${PORT}/`)
  router.add(root, PORT, root)
  const bytes = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 40 })
  fc.assert(
    fc.property(bytes, bytes, (host, path) => {
      // One prefix for all owns every path in every reading.
      expect(find(router, { host: 'x', path: `/${path}`, localAddress: '10.0.0.1', isLoopback: false })).toBe(root)
      const routes = router.routesOf(PORT)
      expect(['object', 'number']).toContain(typeof routes.find(host, '/', '10.0.0.1', false))
    }),
    { numRuns: 2000 },
  )
})
