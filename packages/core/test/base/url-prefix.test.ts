import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HttpSysError } from '../../src/base/errors.ts'
import { UrlPrefix, isUrlPrefix, prefix } from '../../src/base/url-prefix.ts'
import type { PrefixOptions } from '../../src/base/url-prefix.ts'

function errorOf(action: () => unknown): HttpSysError {
  try {
    action()
  } catch (error) {
    if (error instanceof HttpSysError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

beforeEach(() => {
  vi.stubEnv('HTTPSYS_BASE', undefined)
})

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('UrlPrefix.parse', () => {
  test.each([
    ['http://localhost:8080/2/', 'localhost', 8080, '/2/', 'explicit'],
    ['http://+:80/', '+', 80, '/', 'strong-wildcard'],
    ['http://*:80/2/3/', '*', 80, '/2/3/', 'weak-wildcard'],
    ['http://*.contoso.com:80/', '*.contoso.com', 80, '/', 'subdomain-wildcard'],
    ['http://127.0.0.1:1/', '127.0.0.1', 1, '/', 'ip-bound'],
    ['http://[::1]:65535/', '[::1]', 65535, '/', 'ip-bound'],
    ['http://localhost:0/', 'localhost', 0, '/', 'explicit'],
  ] as const)('reads %s', (text, host, port, path, category) => {
    const result = UrlPrefix.parse(text)
    expect(result).toMatchObject({ scheme: 'http', host, port, path, category, mode: 'create', strip: undefined })
    expect(result.href).toBe(text)
    expect(String(result)).toBe(text)
  })

  test.each([
    ['https://Example.COM:443/', 'https://example.com:443/', 'upper case'],
    ['http://MÜNCHEN.de:80/', 'http://münchen.de:80/', 'upper case outside ASCII'],
    ['http://xn--mnchen-3ya.de:80/', 'http://münchen.de:80/', 'punycode'],
    ['http://*.XN--mnchen-3ya.de:80/', 'http://*.münchen.de:80/', 'punycode behind a wildcard'],
    ['http://[0:0:0:0:0:0:0:1]:80/', 'http://[::1]:80/', 'a long IPv6 address'],
    ['http://[2001:DB8::A]:80/', 'http://[2001:db8::a]:80/', 'IPv6 in upper case'],
    ['http://[::ffff:10.0.0.1]:80/', 'http://10.0.0.1:80/', 'IPv4 written as IPv6'],
    ['http://[::FFFF:ac9f:ff01]:80/', 'http://172.159.255.1:80/', 'IPv4 written as IPv6, all in hexadecimal'],
    ['http://my_host:80/', 'http://my_host:80/', 'an underscore'],
  ])('spells the host of %s as %s (%s)', (text, href) => {
    expect(UrlPrefix.parse(text).href).toBe(href)
  })

  test('keeps the case of the path, and its characters outside ASCII', () => {
    expect(UrlPrefix.parse('http://localhost:80/Räume/Ω/').path).toBe('/Räume/Ω/')
  })

  test.each([
    ['HTTP://localhost:80/', /scheme.*lower case/, 'http://localhost:80/'],
    ['Https://localhost:443/2/', /scheme.*lower case/, 'https://localhost:443/2/'],
    ['http://localhost/', /port is missing/, 'http://localhost:80/'],
    ['https://localhost/2', /port is missing/, 'https://localhost:443/2/'],
    ['http://localhost:/', /port is missing/, 'http://localhost:80/'],
    ['http://[::1]/', /port is missing/, 'http://[::1]:80/'],
    ['http://localhost:080/', /"080" is not a port/, 'http://localhost:80/'],
    ['http://localhost:00/', /"00" is not a port/, 'http://localhost:0/'],
    ['http://localhost:80', /path is missing/, 'http://localhost:80/'],
    ['http://localhost:80/2', /does not end with a slash/, 'http://localhost:80/2/'],
    ['http://localhost:80/2/?a=b', /query/, 'http://localhost:80/2/'],
    ['http://localhost:80?a/', /query/, 'http://localhost:80/'],
    ['http://localhost:80/2/#top', /fragment/, 'http://localhost:80/2/'],
    ['http://localhost:80\\2\\', /backslash/, 'http://localhost:80/2/'],
    ['http://localhost:80/a\\b/', /backslash/, 'http://localhost:80/a/b/'],
    ['http://localhost:80/a/../b/', /dot segment/, 'http://localhost:80/b/'],
    ['http://localhost:80/./b/', /dot segment/, 'http://localhost:80/b/'],
    ['http://localhost:80/a/..', /dot segment/, 'http://localhost:80/'],
    ['http://localhost:80//b//', /empty segment/, 'http://localhost:80/b/'],
    ['http://localhost:80/r%C3%A4ume/', /un-escaped/, 'http://localhost:80/räume/'],
    ['http://me:secret@localhost:80/', /credentials/, 'http://localhost:80/'],
    ['http://me@localhost/', /credentials/, 'http://localhost:80/'],
    [' http://localhost:80/', /white space/, 'http://localhost:80/'],
    ['http://localhost:80/\n', /white space or control/, 'http://localhost:80/'],
    ['http://localhost.:80/', /"localhost\." is not a host/, 'http://localhost:80/'],
    ['http:/localhost:80/', /not of the form/, 'http://localhost:80/'],
    ['http:localhost', /not of the form/, 'http://localhost:80/'],
    ['localhost:80/2', /not of the form/, 'http://localhost:80/2/'],
  ])('refuses %j and shows the corrected string', (text, reason, corrected) => {
    const error = errorOf(() => UrlPrefix.parse(text))
    expect(error).toMatchObject({ code: 'EINVAL', syscall: 'prefix', subject: text })
    expect(error.reason).toMatch(reason)
    expect(error.remedy).toBe(`Write "${corrected}".`)
    expect(UrlPrefix.parse(corrected).href).toBe(corrected)
  })

  test.each([
    ['ftp://localhost:80/', /scheme is "ftp"/, /http:\/\/ or https:\/\//],
    ['://localhost:80/', /scheme is ""/, /http:\/\/ or https:\/\//],
    ['http://:80/', /host is missing/, /host name/],
    ['http://localhost:65536/', /"65536" is not a port/, /port such as/],
    ['http://localhost:+80/', /"\+80" is not a port/, /port such as/],
    ['http://localhost:8e3/', /"8e3" is not a port/, /port such as/],
    ['http://localhost:80:80/', /"80:80" is not a port/, /port such as/],
    ['http://localhost:80/a b/', /white space/, /out/],
    ['http://localhost:80/a%20b/', /un-escaped/, /no prefix/],
    ['http://localhost:80/a\u0000b/', /control/, /out/],
    ['http://localhost:80/a\u00a0b/', /white space/, /out/],
    ['http://localhost:80/\ud800/', /control/, /out/],
    ['http://localhost:80/a%2Fb/', /un-escaped/, /no prefix/],
    ['http://localhost:80/a%5Cb/', /un-escaped/, /no prefix/],
    ['http://localhost:80/a%ZZ/', /un-escaped/, /no prefix/],
    ['http://localhost:80/a%25/', /un-escaped/, /no prefix/],
    ['http://local host:80/', /white space/, /out/],
    ['http://a..b:80/', /"a\.\.b" is not a host/, /host name/],
    ['http://-a:80/', /not a host/, /host name/],
    ['http://a!b:80/', /not a host/, /host name/],
    ['http://a%2eb:80/', /not a host/, /host name/],
    ['http://256.0.0.1:80/', /not a host/, /host name/],
    ['http://127.1:80/', /"127\.1" is not a host/, /host name/],
    ['http://0x7f000001:80/', /not a host/, /host name/],
    ['http://xn--a:80/', /not a host/, /host name/],
    ['http://**:80/', /not a host/, /host name/],
    ['http://*.:80/', /not a host/, /host name/],
    ['http://*.1.2.3.4:80/', /not a host/, /host name/],
    ['http://*.[::1]:80/', /not|IPv6/, /Write/],
    ['http://a.*.com:80/', /not a host/, /host name/],
    ['http://+.com:80/', /not a host/, /host name/],
    [`http://${'a'.repeat(64)}.com:80/`, /not a host/, /host name/],
    [`http://${'a.'.repeat(127)}com:80/`, /not a host/, /host name/],
    ['http://0.0.0.0:80/', /0\.0\.0\.0 is not the address of a machine/, /\*/],
    ['http://[0::0]:80/', /\[::\] is not the address of a machine/, /\*/],
    ['http://[::ffff:0.0.0.0]:80/', /not the address of a machine/, /\*/],
    ['http://[::g]:80/', /not an IPv6 address/, /\[::1\]/],
    ['http://[::1:80/', /not an IPv6 address/, /\[::1\]/],
    ['http://[fe80::1%eth0]:80/', /not an IPv6 address/, /\[::1\]/],
    [`http://localhost:80/${'a'.repeat(261)}/`, /longer than 260/, /shorter/],
    [`http://localhost:80/${'a/'.repeat(256)}`, /256 segments/, /shorter/],
    ['', /not of the form/, /http:\/\/localhost/],
  ])('refuses %j', (text, reason, remedy) => {
    const error = errorOf(() => UrlPrefix.parse(text))
    expect(error).toMatchObject({ code: 'EINVAL', syscall: 'prefix', subject: text })
    expect(error.reason).toMatch(reason)
    expect(error.remedy).toMatch(remedy)
  })

  test.each([
    [`http://localhost:80/${'a'.repeat(260)}/`],
    [`http://localhost:80/${'a/'.repeat(255)}`],
    ['http://localhost:80/..a/.../'],
    ["http://localhost:80/a;b=c/@:!$&'()*+,~/"],
  ])('takes %j, which is within the rules', (text) => {
    expect(UrlPrefix.parse(text).href).toBe(text)
  })

  test.each([
    ['http://localhost:80/', true],
    ['http://127.0.0.1:80/', true],
    ['http://127.9.8.7:80/', true],
    ['http://[::1]:80/', true],
    ['http://[::2]:80/', false],
    ['http://128.0.0.1:80/', false],
    ['http://127.example.com:80/', false],
    ['http://localhost.example.com:80/', false],
    ['http://+:80/', false],
    ['http://*:80/', false],
  ])('isLoopback of %s is %s', (text, expected) => {
    expect(UrlPrefix.parse(text).isLoopback).toBe(expected)
  })

  test.each([
    ['/', 0],
    ['/11/', 1],
    ['/2/3/', 2],
  ])('%s has %i segments', (path, expected) => {
    expect(prefix(path).segmentCount).toBe(expected)
  })

  test('keys are equal for prefixes that differ in case only', () => {
    const key = UrlPrefix.parse('http://Localhost:80/Räume/A/').key
    expect(UrlPrefix.parse('http://localhost:80/RÄUME/a/').key).toBe(key)
  })

  test.each([
    'https://localhost:80/a/',
    'http://localhost:81/a/',
    'http://127.0.0.1:80/a/',
    'http://+:80/a/',
    'http://*:80/a/',
    'http://*.localhost:80/a/',
    'http://localhost:80/',
    'http://localhost:80/a/b/',
  ])('%s has another key than http://localhost:80/a/', (text) => {
    expect(UrlPrefix.parse(text).key).not.toBe(UrlPrefix.parse('http://localhost:80/a/').key)
  })

  test('withPort changes the port alone', () => {
    const given = UrlPrefix.parse('https://*.a.de:0/X/', { mode: 'attach', strip: false })
    const result = given.withPort(4711)
    expect(result).toMatchObject({ category: 'subdomain-wildcard', mode: 'attach', strip: false, port: 4711 })
    expect(result.href).toBe('https://*.a.de:4711/X/')
    expect(given.port).toBe(0)
  })

  test('instances are extensible and writable, as frameworks expect of listen options', () => {
    const options: Record<string, unknown> = prefix('/2/') as never
    options['host'] = 'localhost'
    options['cb'] = () => {}
    expect(Object.isExtensible(options)).toBe(true)
    expect(options).toMatchObject({ host: 'localhost', path: '/2/' })
  })
})

describe('prefix', () => {
  test('puts a path on http://localhost:8080', () => {
    expect(prefix('/2/').href).toBe('http://localhost:8080/2/')
  })

  test('puts a path on HTTPSYS_BASE', () => {
    vi.stubEnv('HTTPSYS_BASE', 'http://*:80')
    expect(prefix('/2/').href).toBe('http://*:80/2/')
  })

  test('takes an empty HTTPSYS_BASE for none', () => {
    vi.stubEnv('HTTPSYS_BASE', '')
    expect(prefix('/2/').href).toBe('http://localhost:8080/2/')
  })

  test('prefers the base option to HTTPSYS_BASE', () => {
    vi.stubEnv('HTTPSYS_BASE', 'http://*:80')
    expect(prefix('/2/', { base: 'https://a.de:443' }).href).toBe('https://a.de:443/2/')
  })

  test('leaves a full string alone, whatever the base is', () => {
    vi.stubEnv('HTTPSYS_BASE', 'nonsense')
    expect(prefix('http://*:80/2/').href).toBe('http://*:80/2/')
  })

  test.each([
    ['http://localhost:8080/', '/2/', 'http://localhost:8080/2/'],
    ['http://localhost:8080/app', '/2/', 'http://localhost:8080/app/2/'],
    ['http://localhost:8080/app/', '/2/', 'http://localhost:8080/app/2/'],
    ['http://localhost:8080/app/', '/', 'http://localhost:8080/app/'],
    ['http://[::1]:0', '/', 'http://[::1]:0/'],
  ])('joins the base %s and %s', (base, text, href) => {
    expect(prefix(text, { base }).href).toBe(href)
  })

  test.each([
    ['/2', /end with a slash/, '/2/'],
    ['2', /neither with a slash/, '/2/'],
    ['2/3/', /neither with a slash/, '/2/3/'],
    ['', /empty/, '/'],
    ['//2/', /empty segment/, '/2/'],
    ['/a/%C3%A4/', /un-escaped/, '/a/ä/'],
    ['/a\\b', /backslash/, '/a/b/'],
    ['\\a\\b', /neither with a slash/, '/a/b/'],
    ['/a/./b/../c', /dot segment/, '/a/c/'],
    ['/2/?x', /query/, '/2/'],
    ['/2/ ', /white space/, '/2/'],
    ['localhost:8080/2', /neither with a slash/, 'http://localhost:8080/2/'],
    ['HTTP://localhost:8080/2', /lower case/, 'http://localhost:8080/2/'],
    ['http:/localhost:8080/2/', /neither with a slash/, 'http://localhost:8080/2/'],
    ['http://localhost:8080/2', /end with a slash/, 'http://localhost:8080/2/'],
  ])('refuses %j and says what to write', (text, reason, corrected) => {
    const error = errorOf(() => prefix(text))
    expect(error).toMatchObject({ code: 'EINVAL', syscall: 'prefix', subject: text })
    expect(error.reason).toMatch(reason)
    expect(error.remedy).toBe(`Write "${corrected}".`)
    expect(prefix(corrected).href.endsWith(corrected)).toBe(true)
  })

  test('reads as one sentence', () => {
    const error = errorOf(() => prefix('/2'))
    expect(error.message).toBe('prefix EINVAL /2: the path does not end with a slash. Write "/2/".')
  })

  test.each([
    ['http://localhost', /port is missing/, 'http://localhost:80'],
    ['HTTP://localhost:80/', /lower case/, 'http://localhost:80'],
    ['localhost:8080', /not of the form/, 'http://localhost:8080'],
    ['http://localhost:80/a?b', /query/, 'http://localhost:80/a'],
  ])('names HTTPSYS_BASE when %j stands in it', (base, reason, corrected) => {
    vi.stubEnv('HTTPSYS_BASE', base)
    const error = errorOf(() => prefix('/2/'))
    expect(error.subject).toBe('/2/')
    expect(error.reason).toContain(`HTTPSYS_BASE is "${base}": `)
    expect(error.reason).toMatch(reason)
    expect(error.remedy).toBe(`Write HTTPSYS_BASE = "${corrected}".`)
  })

  test('names the base option when it is wrong', () => {
    expect(errorOf(() => prefix('/2/', { base: '' })).reason).toMatch(/^base is ""/)
    expect(errorOf(() => prefix('/2/', { base: 'http://nowhere:x' })).reason).toMatch(
      /^base is "http:\/\/nowhere:x": "x"/,
    )
  })

  test('refuses a base and a path that are too long together', () => {
    const base = `http://localhost:80/${'a/'.repeat(200)}`
    expect(prefix('/b/', { base }).segmentCount).toBe(201)
    expect(errorOf(() => prefix(`/${'b/'.repeat(56)}`, { base })).reason).toMatch(/256 segments/)
  })

  test.each([[undefined], [null], [8080], [{}], [['/2/']], [Symbol('x')], [Object.create(null)], [() => {}]])(
    'refuses %o, which is not a string',
    (text) => {
      for (const action of [() => prefix(text as never), () => UrlPrefix.parse(text as never)]) {
        expect(errorOf(action)).toMatchObject({ code: 'EINVAL', reason: 'it is not a string' })
      }
    },
  )

  test.each([
    [null, /options is null/],
    ['create', /options is 'create'/],
    [{ mode: 'steal' }, /mode is 'steal'/],
    [{ holdFor: -1 }, /holdFor is -1/],
    [{ queueLength: '5' }, /queueLength is '5'/],
    [{ verbosity503: 'loud' }, /verbosity503 is 'loud'/],
    [{ mode: null }, /mode is null/],
    [{ strip: 'no' }, /strip is 'no'/],
    [{ strip: null }, /strip is null/],
    [{ base: 8080 }, /base is 8080/],
  ])('refuses the options %o', (options, reason) => {
    for (const text of ['/2/', 'http://localhost:80/']) {
      const error = errorOf(() => prefix(text, options as never))
      expect(error).toMatchObject({ code: 'EINVAL', syscall: 'prefix', subject: text })
      expect(error.reason).toMatch(reason)
    }
  })

  test.each<[PrefixOptions, object]>([
    [{}, { mode: 'create', strip: undefined }],
    [
      { mode: 'create', strip: true },
      { mode: 'create', strip: true },
    ],
    [
      { mode: 'attach', strip: false },
      { mode: 'attach', strip: false },
    ],
    [
      { base: undefined, mode: undefined, strip: undefined },
      { mode: 'create', strip: undefined },
    ],
  ])('takes the options %o', (options, expected) => {
    expect(prefix('/2/', options)).toMatchObject(expected)
    expect(prefix('http://localhost:80/', options)).toMatchObject(expected)
  })
})

describe('isUrlPrefix', () => {
  test('knows prefixes of another copy of the package', async () => {
    vi.resetModules()
    const copy = (await import('../../src/base/url-prefix.ts')) as { prefix: typeof prefix }
    const foreign = copy.prefix('/2/')
    expect(foreign).not.toBeInstanceOf(UrlPrefix)
    expect(isUrlPrefix(foreign)).toBe(true)
    expect(isUrlPrefix(prefix('/2/'))).toBe(true)
  })

  test.each([[undefined], [null], [8080], ['http://localhost:8080/2/'], [{ path: '/2/' }], [new URL('http://a/')]])(
    'refuses %o',
    (value) => {
      expect(isUrlPrefix(value)).toBe(false)
    },
  )
})
