import { expect, test } from 'vitest'
import { decodeHello, encodeHello } from '../../../src/broker/protocol/hello.ts'
import { PROTOCOL_VERSION as VERSION } from '../../../src/broker/protocol/frames.ts'

test.each([1, 4_194_304, 4_294_967_295])('a hello of process %i is read as it was written', (pid) => {
  expect(decodeHello(encodeHello(pid))).toEqual({ pid })
})

test('a hello with a key says which thread is meant', () => {
  const ticket = { key: '0123456789abcdef0123456789abcdef', thread: 3 }
  expect(decodeHello(encodeHello(7, ticket))).toEqual({ pid: 7, ticket })
})

test.each([
  '',
  `HSYS ${VERSION} 2 0123456789abcdef0123456789abcdef`,
  `HSYS ${VERSION} 2 0123456789abcdef0123456789abcdef 1000`,
  `HSYS ${VERSION} 2 0123456789ABCDEF0123456789ABCDEF 1`,
  `HSYS ${VERSION} 2 0123456789abcdef 1`,
  'HSYS',
  `HSYS ${VERSION}`,
  `HSYS ${VERSION} `,
  `HSYS  ${VERSION} 2`,
  `hsys ${VERSION} 2`,
  `HSYS ${VERSION} 2 `,
  ` HSYS ${VERSION} 2`,
  `HSYS ${VERSION} 2\n`,
  `HSYS ${VERSION} -2`,
  `HSYS ${VERSION} 2 3`,
  `HSYS ${VERSION} 12345678901`,
  `HSYS ${VERSION}23456 1`,
  'GET / HTTP/1.1\r\n\r\n',
])('%j is not a hello', (payload) => {
  expect(() => decodeHello(payload)).toThrow(
    expect.objectContaining({
      code: 'EPROTO',
      syscall: 'connect',
      reason: 'it does not speak the httpsys broker protocol',
    }) as Error,
  )
})

test.each([0, VERSION + 1, 99_999])('version %i is refused with both versions in the message', (version) => {
  expect(() => decodeHello(`HSYS ${version} 1`)).toThrow(
    `it speaks version ${version} of the protocol, this process version ${VERSION}`,
  )
})
