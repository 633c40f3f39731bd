import { describe, expect, test } from 'vitest'
import { prefixFor, readDestination } from '../../src/slipstream/destination.ts'

function hrefFor(text: string, port: number, host?: string): string | undefined {
  return prefixFor(readDestination(text), port, host)?.href
}

describe('HTTPSYS_PREFIX', () => {
  test.each([
    ['/2/', 3000, undefined, 'http://localhost:8080/2/'],
    ['http://*:80/2/', 3000, undefined, 'http://*:80/2/'],
    ['3000=/2/,3001=/admin/', 3000, undefined, 'http://localhost:8080/2/'],
    ['3000=/2/,3001=/admin/', 3001, undefined, 'http://localhost:8080/admin/'],
    ['3000=/2/,3001=/admin/', 3002, undefined, undefined],
    ['3000=/a,b/', 3000, undefined, 'http://localhost:8080/a,b/'],
    ['auto', 3000, undefined, 'http://*:3000/'],
    ['auto', 3000, '::', 'http://*:3000/'],
    ['auto', 0, '0.0.0.0', 'http://*:0/'],
    ['auto', 3000, '127.0.0.1', 'http://127.0.0.1:3000/'],
    ['auto', 3000, '::1', 'http://[::1]:3000/'],
  ])('%s sends port %i of %s to %s', (text, port, host, href) => {
    expect(hrefFor(text, port, host)).toBe(href)
  })

  test.each([
    ['2', /begins neither with a slash/],
    ['3000=2', /begins neither with a slash/],
    ['70000=/2/', /there is no port 70000/],
    ['3000=/2/,3000=/3/', /port 3000 is named twice/],
  ])('%s is refused, and says why', (text, message) => {
    expect(() => readDestination(text)).toThrow(message)
  })
})
