import { expect, test } from 'vitest'
import { readPortListen } from '../../src/slipstream/listen-arguments.ts'

const callback = (): void => {}
const { signal } = new AbortController()

test.each([
  ['nothing', [], { port: 0 }],
  ['a callback', [callback], { port: 0, callback }],
  ['a port', [3000], { port: 3000 }],
  ['a port as text, as environment variables are', ['3000', callback], { port: 3000, callback }],
  ['port, host, backlog', [3000, '127.0.0.1', 511, callback], { port: 3000, host: '127.0.0.1', callback }],
  ['an empty host', [3000, ''], { port: 3000 }],
  ['null', [null], { port: 0 }],
  ['options', [{ port: 3000, host: '::1', signal }, callback], { port: 3000, host: '::1', signal, callback }],
  ['options with an undefined port', [{ port: undefined }], { port: 0 }],
])('%s asks for a TCP port', (_what, args, expected) => {
  expect(readPortListen(args)).toEqual({ host: undefined, signal: undefined, callback: undefined, ...expected })
})

test.each([
  ['a path', ['/run/app.sock']],
  ['a path in options', [{ path: '/run/app.sock' }]],
  ['a descriptor', [{ fd: 3 }]],
  ['a handle', [{ _handle: {} }]],
  ['a port that is none', [70_000]],
  ['a fraction', [1.5]],
  ['options without a port', [{ host: 'x' }]],
  ['IPv6 alone', [{ port: 1, ipv6Only: true }]],
])('%s is left to node:net', (_what, args) => {
  expect(readPortListen(args)).toBeUndefined()
})
