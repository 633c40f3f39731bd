import { describe, expect, test } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { MISS_AMBIGUOUS, MISS_BAD_HOST, MISS_HOST, MISS_PATH, Router } from '../../../src/broker/daemon/router.ts'

interface Claim {
  readonly href: string
}

interface Client {
  readonly host?: string | undefined
  readonly path?: string
  readonly localAddress?: string
  readonly isLoopback?: boolean
}

const PORT = 8080

/** A router with prefixes, given without scheme and port: `localhost/2/`. */
function routerOf(...prefixes: string[]): Router<Claim> {
  const router = new Router<Claim>()
  for (const text of prefixes) expect(router.add(prefixOf(text), PORT, { href: text })).toBeUndefined()
  return router
}

function prefixOf(text: string): UrlPrefix {
  return UrlPrefix.parse(`http://${text.replace('/', `:${PORT}/`)}`)
}

/** Where a request goes: the prefix as given to {@link routerOf}, or the miss. */
function route(router: Router<Claim>, client: Client): string | number {
  const { path = '/', localAddress = '127.0.0.1', isLoopback = localAddress === '127.0.0.1' } = client
  const host = 'host' in client ? client.host : 'localhost'
  const found = router.routesOf(PORT).find(host, path, localAddress, isLoopback)
  return typeof found === 'number' ? found : found.href
}

const LAN = { localAddress: '10.0.0.1' }

describe('routing vectors', () => {
  test.each([
    ['/', 'localhost/'],
    ['/11', 'localhost/11/'],
    ['/11/', 'localhost/11/'],
    ['/11/random', 'localhost/11/'],
    ['/111', 'localhost/'],
    ['/1', 'localhost/'],
    ['/2', 'localhost/2/'],
    ['/2/random', 'localhost/2/'],
    ['/2/3', 'localhost/2/3/'],
    ['/2/3/', 'localhost/2/3/'],
    ['/2/3/random', 'localhost/2/3/'],
    ['/2/33', 'localhost/2/'],
    ['/random', 'localhost/'],
    ['/random/2/3', 'localhost/'],
    ['/basepath/sub%2Fpath', 'localhost/basepath/'],
    ['/basepath/sub%2fpath/%2F', 'localhost/basepath/'],
    ['/basepath/x%20y', 'localhost/basepath/'],
    ['/deeper', 'localhost/'],
    ['/deep', 'localhost/deep/'],
    ['*', 'localhost/'],
  ])('%s goes to %s', (path, expected) => {
    const prefixes = ['/', '/11/', '/2/', '/2/3/', '/basepath/', '/deep/'].map((prefix) => `localhost${prefix}`)
    expect(route(routerOf(...prefixes), { path })).toBe(expected)
    expect(route(routerOf(...prefixes.toReversed()), { path })).toBe(expected)
  })

  test.each([
    ['/deeper', MISS_PATH],
    ['/', MISS_PATH],
    ['/deep', 'localhost/deep/'],
  ])('without a prefix for the root %s goes to %s', (path, expected) => {
    expect(route(routerOf('localhost/deep/'), { path })).toBe(expected)
  })
})

describe('paths', () => {
  const router = routerOf('localhost/', 'localhost/Räume/', 'localhost/x/y/')

  test.each([
    ['/RÄUME/1', 'UTF-8 bytes in capitals'],
    ['/räume', 'UTF-8 bytes'],
    ['/r%C3%A4ume/', 'escapes'],
    ['/R%c3%84UME', 'escapes of a capital'],
    ['/%72%c3%a4ume', 'an escape that is not needed'],
  ])('%s matches /Räume/ (%s)', (path) => {
    expect(route(router, { path: Buffer.from(path, 'utf8').toString('latin1') })).toBe('localhost/Räume/')
  })

  test.each([['/r%E4ume'], ['/r%C3ume'], ['/r%C3%A4ume%'], ['/r%zz'], ['/ra%CC%88ume'], ['/%'], ['/%C0%AF']])(
    '%s matches no segment, and nothing is thrown',
    (path) => {
      expect(route(router, { path })).toBe('localhost/')
    },
  )

  test.each([
    ['/X/Y', 'localhost/x/y/'],
    ['/%58/%79/', 'localhost/x/y/'],
    ['/x/', 'localhost/'],
    ['/x/y;v=1', 'localhost/'],
    ['/x/y.', 'localhost/'],
    ['/x/y%20', 'localhost/'],
    ['/x/%2579', 'localhost/'],
  ])('%s goes to %s', (path, expected) => {
    expect(route(router, { path })).toBe(expected)
  })
})

describe('tricks in the path', () => {
  const router = routerOf('localhost/', 'localhost/a/', 'localhost/a/b/', 'localhost/admin/')

  test.each([
    // Only one process can be meant.
    ['/a/./x', 'localhost/a/'],
    ['/a/x/../y', 'localhost/a/'],
    ['/a/x/..', 'localhost/a/'],
    ['/a/x%2Fy', 'localhost/a/'],
    ['/a/x%2F..%2Fy', 'localhost/a/'],
    ['/a/x\\y', 'localhost/a/'],
    ['/a/x%5Cy', 'localhost/a/'],
    ['/a/x//y', 'localhost/a/'],
    ['/a//', 'localhost/a/'],
    ['/a/%2e/x', 'localhost/a/'],
    ['/a/x/%2e%2e/y', 'localhost/a/'],
    ['/x/../y', 'localhost/'],
    ['/../../x', 'localhost/'],
    ['//x', 'localhost/'],
    ['/x%2F..%2F..%2Fy', 'localhost/'],
    ['/a/b/x/../../b/y', 'localhost/a/b/'],
    // Different processes would take it for theirs.
    ['/a/../admin', MISS_AMBIGUOUS],
    ['/a/../admin/', MISS_AMBIGUOUS],
    ['/a/..', MISS_AMBIGUOUS],
    ['/a/.%2E/admin', MISS_AMBIGUOUS],
    ['/a/%2e%2e/admin', MISS_AMBIGUOUS],
    ['/a/%2E%2E%2Fadmin', MISS_AMBIGUOUS],
    ['/a/..%2Fadmin', MISS_AMBIGUOUS],
    ['/a/..%5Cadmin', MISS_AMBIGUOUS],
    ['/a\\..\\admin', MISS_AMBIGUOUS],
    ['/a%5c..%5cadmin', MISS_AMBIGUOUS],
    ['/a/..\\admin', MISS_AMBIGUOUS],
    ['/./admin', MISS_AMBIGUOUS],
    ['/%2e/admin', MISS_AMBIGUOUS],
    ['//admin', MISS_AMBIGUOUS],
    ['/\\admin', MISS_AMBIGUOUS],
    ['/%2Fadmin', MISS_AMBIGUOUS],
    ['/a%2Fb', MISS_AMBIGUOUS],
    ['/a%2Fx', MISS_AMBIGUOUS],
    ['/a\\x', MISS_AMBIGUOUS],
    ['/a//b', MISS_AMBIGUOUS],
    ['/a/./b', MISS_AMBIGUOUS],
    ['/x/../a', MISS_AMBIGUOUS],
    ['/a/b/../c', MISS_AMBIGUOUS],
    // The literal reading and the most lenient one both lead to /a/, the one between them does not.
    ['/a/x%2fy/../../admin', MISS_AMBIGUOUS],
    ['/a/x\\y/../../admin', MISS_AMBIGUOUS],
    ['/a//../admin', MISS_AMBIGUOUS],
  ])('%s goes to %s', (path, expected) => {
    expect(route(router, { path })).toBe(expected)
    expect(route(router, { path: path.replace(/a(?=[/\\%])/, 'A') })).toBe(expected)
  })

  test.each([
    ['/2/../3', MISS_AMBIGUOUS],
    ['/2/..', MISS_AMBIGUOUS],
    ['/2/./3', 'localhost/2/'],
    ['/3/../2', MISS_AMBIGUOUS],
    ['/3/../4', MISS_PATH],
    ['//', MISS_PATH],
  ])('with /2/ alone %s goes to %s', (path, expected) => {
    expect(route(routerOf('localhost/2/'), { path })).toBe(expected)
  })

  test('readings are compared across host categories', () => {
    const mixed = routerOf('+/a/', 'localhost/admin/')
    expect(route(mixed, { path: '/a/../admin' })).toBe(MISS_AMBIGUOUS)
    expect(route(mixed, { path: '/a/x/../admin' })).toBe('+/a/')
  })

  test('a head full of tricks, 15 KB of them, holds the others up for less than half a second', () => {
    const one = routerOf('localhost/')
    const path = '/.//%2e%2e\\%2f'.repeat(1200)
    const start = performance.now()
    expect(route(one, { path })).toBe('localhost/')
    expect(performance.now() - start).toBeLessThan(500)
  })
})

describe('host categories', () => {
  const all = ['+/', 'a.example.com/', '10.0.0.1/', '*.example.com/', '*/']

  test.each(all.map((_, index) => [all.slice(index)]))('of %j the first one wins', (prefixes) => {
    const router = routerOf(...prefixes.toReversed())
    expect(route(router, { host: 'a.example.com', ...LAN })).toBe(prefixes[0])
  })

  test('a longer path in a weaker category loses', () => {
    const router = routerOf('+/', 'a.example.com/2/', '*/2/3/')
    expect(route(router, { host: 'a.example.com', path: '/2/3/' })).toBe('+/')
  })

  test('a category without a matching path is passed over', () => {
    const router = routerOf('+/1/', 'a.example.com/2/', '10.0.0.1/3/', '*.example.com/4/', '*/5/')
    const found = ['/1/', '/2/', '/3/', '/4/', '/5/', '/6/'].map((path) => {
      return route(router, { host: 'a.example.com', path, ...LAN })
    })
    expect(found).toEqual(['+/1/', 'a.example.com/2/', '10.0.0.1/3/', '*.example.com/4/', '*/5/', MISS_PATH])
  })

  test.each([
    ['a.example.com', 'a.example.com/'],
    ['A.EXAMPLE.com:80', 'a.example.com/'],
    ['a.example.com.', 'a.example.com/'],
    ['b.example.com', MISS_HOST],
    ['aa.example.com', MISS_HOST],
    ['example.com', MISS_HOST],
    ['a.example.com.org', MISS_HOST],
  ])('an explicit name: %s goes to %s', (host, expected) => {
    expect(route(routerOf('a.example.com/'), { host })).toBe(expected)
  })

  test.each([
    ['xn--mnchen-3ya.de', 'münchen.de/'],
    ['XN--MNCHEN-3YA.DE:8080', 'münchen.de/'],
    ['m\u00c3\u00bcnchen.de', 'münchen.de/'],
    ['munchen.de', MISS_HOST],
  ])('a Unicode name: %s goes to %s', (host, expected) => {
    expect(route(routerOf('münchen.de/'), { host })).toBe(expected)
  })

  test.each([
    ['a.b.example.com', '/', '*.b.example.com/'],
    ['a.b.example.com', '/2/', '*.b.example.com/'],
    ['x.a.b.example.com', '/', '*.b.example.com/'],
    ['b.example.com', '/', '*.example.com/'],
    ['c.example.com', '/2/', '*.example.com/2/'],
    ['example.com', '/', MISS_HOST],
    ['notexample.com', '/', MISS_HOST],
    ['example.com.org', '/', MISS_HOST],
  ])('a subdomain wildcard: %s with %s goes to %s', (host, path, expected) => {
    expect(route(routerOf('*.example.com/', '*.example.com/2/', '*.b.example.com/'), { host, path })).toBe(expected)
  })

  test('a subdomain wildcard without a matching path leaves it to the less specific one', () => {
    const router = routerOf('*.example.com/2/', '*.b.example.com/')
    router.remove(prefixOf('*.b.example.com/'), PORT)
    router.add(prefixOf('*.b.example.com/3/'), PORT, { href: '*.b.example.com/3/' })
    expect(route(router, { host: 'a.b.example.com', path: '/2/' })).toBe('*.example.com/2/')
  })

  test.each([
    ['anything.example.org', '10.0.0.1', '10.0.0.1/'],
    ['anything.example.org', '::ffff:10.0.0.1', '10.0.0.1/'],
    ['10.0.0.1', '10.0.0.1', '10.0.0.1/'],
    ['10.0.0.1', '10.0.0.2', '10.0.0.1/'],
    ['anything.example.org', '10.0.0.2', MISS_HOST],
    ['anything.example.org', '2001:db8::1', '[2001:db8::1]/'],
    ['[2001:db8:0::1]:8080', '10.0.0.2', '[2001:db8::1]/'],
    [undefined, '10.0.0.1', '10.0.0.1/'],
    [undefined, '2001:db8::1', '[2001:db8::1]/'],
    [undefined, '10.0.0.2', MISS_HOST],
  ])('an address: Host %s on a connection to %s goes to %s', (host, localAddress, expected) => {
    expect(route(routerOf('10.0.0.1/', '[2001:db8::1]/'), { host, localAddress })).toBe(expected)
  })

  test('an address that the Host field names is stronger than the one that the connection came to', () => {
    const router = routerOf('10.0.0.1/', '10.0.0.2/')
    expect(route(router, { host: '10.0.0.2', ...LAN })).toBe('10.0.0.2/')
    expect(route(router, { host: 'a.example.com', ...LAN })).toBe('10.0.0.1/')
  })

  test.each([['*/'], ['+/']])('%s takes every host', (prefix) => {
    const router = routerOf(prefix)
    for (const host of ['a.example.com', '10.0.0.9', '[::9]', 'localhost', '+', '*', undefined]) {
      expect(route(router, { host, ...LAN })).toBe(prefix)
    }
  })

  test.each(['', 'a b', 'a:x', 'a..b', 'me@localhost', 'a%2eb', '[::1'])('%j is a bad host for any prefix', (host) => {
    expect(route(routerOf('+/', '*/', 'localhost/'), { host })).toBe(MISS_BAD_HOST)
  })

  test('a port without prefixes knows no host', () => {
    expect(route(routerOf(), {})).toBe(MISS_HOST)
  })

  test('a known host without a matching path is told from an unknown host', () => {
    const router = routerOf('a.example.com/2/')
    expect(route(router, { host: 'a.example.com', path: '/3/' })).toBe(MISS_PATH)
    expect(route(router, { host: 'b.example.com', path: '/3/' })).toBe(MISS_HOST)
    expect(route(router, { host: 'b.example.com', path: '/2/../3' })).toBe(MISS_HOST)
  })
})

describe('loopback', () => {
  test.each([
    ['localhost', 'localhost/'],
    ['LOCALHOST:8080', 'localhost/'],
    ['127.0.0.1', 'localhost/'],
    ['127.9.8.7:8080', 'localhost/'],
    ['[::1]:8080', 'localhost/'],
    [undefined, 'localhost/'],
    ['[::2]', MISS_HOST],
    ['128.0.0.1', MISS_HOST],
    ['localhost.example.com', MISS_HOST],
  ])('a prefix for localhost: Host %s goes to %s', (host, expected) => {
    expect(route(routerOf('localhost/'), { host })).toBe(expected)
  })

  test('a prefix for the very address comes before the one for localhost', () => {
    const router = routerOf('localhost/', 'localhost/2/', '127.0.0.1/2/')
    expect(route(router, { host: '127.0.0.1', path: '/2/' })).toBe('127.0.0.1/2/')
    expect(route(router, { host: '127.0.0.1', path: '/3/' })).toBe('localhost/')
    expect(route(router, { host: 'localhost', path: '/2/' })).toBe('localhost/2/')
  })

  test('a prefix for localhost comes before one for the address that the connection came to', () => {
    const router = routerOf('localhost/', '127.0.0.2/')
    expect(route(router, { host: '127.0.0.3', localAddress: '127.0.0.2', isLoopback: true })).toBe('localhost/')
  })

  test.each(['localhost', '127.0.0.1', '[::1]', '127.5.5.5'])(
    'a remote client does not get through with Host %s',
    (host) => {
      const router = routerOf('localhost/', '127.0.0.1/', '[::1]/', '127.5.5.5/')
      expect(route(router, { host, ...LAN })).toBe(MISS_HOST)
      expect(route(router, { host, localAddress: '127.0.0.1', isLoopback: false })).toBe(MISS_HOST)
    },
  )

  test('a remote client that says localhost gets what is there for every host', () => {
    expect(route(routerOf('localhost/', '*/'), { host: 'localhost', ...LAN })).toBe('*/')
  })

  test('a prefix for a loopback address takes other hosts from this machine', () => {
    const router = routerOf('127.0.0.1/')
    expect(route(router, { host: 'a.example.com' })).toBe('127.0.0.1/')
    expect(route(router, { host: 'a.example.com', localAddress: '::ffff:127.0.0.1', isLoopback: true })).toBe(
      '127.0.0.1/',
    )
    expect(route(router, { host: 'a.example.com', isLoopback: false })).toBe(MISS_HOST)
  })
})

describe('claims', () => {
  test.each([
    ['localhost/2/', 'localhost/2/'],
    ['localhost/2/', 'LOCALHOST/2/'],
    ['localhost/Räume/', 'localhost/RÄUME/'],
    ['+/2/', '+/2/'],
    ['*/2/', '*/2/'],
    ['*.a.de/2/', '*.A.de/2/'],
    ['[::1]/2/', '[0::1]/2/'],
    ['münchen.de/2/', 'xn--mnchen-3ya.de/2/'],
  ])('%s keeps %s out', (first, second) => {
    const router = routerOf(first)
    expect(router.add(prefixOf(second), PORT, { href: 'newcomer' })?.href).toBe(first)
    expect(router.remove(prefixOf(second), PORT)).toBe(true)
    expect(router.add(prefixOf(second), PORT, { href: 'newcomer' })).toBeUndefined()
  })

  test('the same path can be claimed in every category, for several hosts, and beside longer and shorter paths', () => {
    const prefixes = ['+', '*', 'a.de', 'b.de', '10.0.0.1', '[::1]', '127.0.0.1', 'localhost', '*.a.de', '*.b.de']
    const router = routerOf(...prefixes.flatMap((host) => [`${host}/`, `${host}/2/`, `${host}/2/3/`]))
    for (const host of prefixes) expect(router.remove(prefixOf(`${host}/2/`), PORT)).toBe(true)
  })

  test('ports have nothing to do with each other', () => {
    const router = routerOf('localhost/2/')
    expect(router.add(prefixOf('localhost/2/'), 81, { href: 'other' })).toBeUndefined()
    expect(router.routesOf(81).find('localhost', '/2/', '127.0.0.1', true)).toEqual({ href: 'other' })
    expect(router.remove(prefixOf('localhost/2/'), 81)).toBe(true)
    expect(route(router, { path: '/2/' })).toBe('localhost/2/')
  })

  test('the port is the one given, whatever the prefix says', () => {
    const router = new Router<Claim>()
    router.add(UrlPrefix.parse('http://localhost:0/2/'), PORT, { href: 'free' })
    expect(route(router, { path: '/2/' })).toBe('free')
    expect(router.remove(UrlPrefix.parse('http://localhost:0/2/'), PORT)).toBe(true)
  })

  test('the port in the Host field does not matter', () => {
    expect(route(routerOf('localhost/'), { host: 'localhost:1' })).toBe('localhost/')
  })

  test('removal frees the prefix, leaves the rest, and works once', () => {
    const router = routerOf('localhost/', 'localhost/2/', '*/2/')
    expect(router.remove(prefixOf('localhost/2/'), PORT)).toBe(true)
    expect(router.remove(prefixOf('localhost/2/'), PORT)).toBe(false)
    expect(route(router, { path: '/2/' })).toBe('localhost/')
    expect(router.remove(prefixOf('localhost/'), PORT)).toBe(true)
    expect(route(router, { path: '/2/' })).toBe('*/2/')
    expect(route(router, { path: '/3/' })).toBe(MISS_PATH)
    expect(router.remove(prefixOf('*/2/'), PORT)).toBe(true)
    expect(route(router, { path: '/2/' })).toBe(MISS_HOST)
  })

  test.each(['+/', 'a.de/', '10.0.0.1/', '*.a.de/', '*/'])(
    'nobody removes %s from a port that does not have it',
    (text) => {
      expect(routerOf().remove(prefixOf(text), PORT)).toBe(false)
      expect(routerOf('a.de/x/', '+/x/').remove(prefixOf(text), PORT)).toBe(false)
    },
  )

  test('a connection that holds the routes of a port sees claims come and go', () => {
    const router = routerOf()
    const routes = router.routesOf(PORT)
    router.add(prefixOf('localhost/'), PORT, { href: 'new' })
    expect(router.routesOf(PORT)).toBe(routes)
    expect(routes.find('localhost', '/', '127.0.0.1', true)).toEqual({ href: 'new' })
    router.remove(prefixOf('localhost/'), PORT)
    expect(routes.find('localhost', '/', '127.0.0.1', true)).toBe(MISS_HOST)
    router.add(prefixOf('localhost/'), PORT, { href: 'newer' })
    expect(routes.find('localhost', '/', '127.0.0.1', true)).toEqual({ href: 'newer' })
  })

  test('requests one after the other have nothing to do with each other', () => {
    const router = routerOf('localhost/', 'a.de/', '10.0.0.1/', '10.0.0.2/')
    const clients: [Client, string | number][] = [
      [{ host: 'localhost' }, 'localhost/'],
      [{ host: 'localhost', isLoopback: false }, MISS_HOST],
      [{ host: 'a.de' }, 'a.de/'],
      [{ host: 'a b' }, MISS_BAD_HOST],
      [{ host: 'x', localAddress: '10.0.0.1' }, '10.0.0.1/'],
      [{ host: 'x', localAddress: '10.0.0.2' }, '10.0.0.2/'],
      [{ host: undefined, localAddress: '10.0.0.1' }, '10.0.0.1/'],
    ]
    for (const [first] of clients) {
      for (const [second, expected] of clients) {
        route(router, first)
        expect(route(router, second)).toBe(expected)
      }
    }
  })

  test.each(['+/', 'a.de/', '127.0.0.1/', '*.de/', '*/'])(
    'a claim of %s is seen by a client that was turned down',
    (text) => {
      const router = routerOf()
      expect(route(router, { host: 'a.de' })).toBe(MISS_HOST)
      router.add(prefixOf(text), PORT, { href: text })
      expect(route(router, { host: 'a.de' })).toBe(text)
      router.remove(prefixOf(text), PORT)
      expect(route(router, { host: 'a.de' })).toBe(MISS_HOST)
    },
  )
})
