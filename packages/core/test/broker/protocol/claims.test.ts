import { describe, expect, test } from 'vitest'
import { HttpSysError } from '../../../src/base/errors.ts'
import {
  decodeClaim,
  decodeClaimed,
  decodeRefused,
  encodeClaim,
  encodeClaimed,
  encodeRefused,
} from '../../../src/broker/protocol/claims.ts'
import type { Claim, Claimed } from '../../../src/broker/protocol/claims.ts'

const MALFORMED = ['', '{', 'null', '1', '"text"', '[]', '{}', '\u0000']

describe('CLAIM', () => {
  test.each<Claim>([
    { href: 'http://localhost:8080/2/', mode: 'create', settings: {} },
    { href: 'http://münchen.de:80/Räume/', mode: 'attach', settings: { holdFor: 0, verbosity503: 'basic' } },
    { href: 'http://localhost:8080/2/', mode: 'takeover', settings: { queueLength: 7 }, epoch: 1_795_000_000_000 },
  ])('%o is read as it was written', (claim) => {
    expect(decodeClaim(encodeClaim(claim))).toEqual(claim)
  })

  test('takes what is known and leaves the rest', () => {
    expect(decodeClaim('{"href":"x","mode":"create","__proto__":{"y":1},"more":2}')).toEqual({
      href: 'x',
      mode: 'create',
      settings: {},
    })
  })

  test.each([
    ...MALFORMED,
    '{"href":"x"}',
    '{"mode":"create"}',
    '{"href":1,"mode":"create"}',
    '{"href":"x","mode":"steal"}',
    '{"href":"x","mode":"create","settings":1}',
    '{"href":"x","mode":"create","settings":{"holdFor":-1}}',
    '{"href":"x","mode":"create","settings":{"holdFor":"1"}}',
    '{"href":"x","mode":"create","settings":{"verbosity503":"loud"}}',
    '{"href":"x","mode":"create","epoch":0}',
    '{"href":"x","mode":"create","epoch":"1"}',
    '{"href":"x","mode":["create"]}',
  ])('refuses %j', (payload) => {
    expect(() => decodeClaim(payload)).toThrow(expect.objectContaining({ code: 'EPROTO', syscall: 'read' }) as Error)
  })
})

describe('CLAIMED', () => {
  test.each<Claimed>([
    { address: '127.0.0.1', family: 'IPv4', port: 1, epoch: 1 },
    { address: '::', family: 'IPv6', port: 65_535, epoch: 1_795_000_000_000 },
  ])('%o is read as it was written', (claimed) => {
    expect(decodeClaimed(encodeClaimed(claimed))).toEqual(claimed)
  })

  test.each([
    ...MALFORMED,
    '{"address":1,"family":"IPv4","port":80,"epoch":1}',
    '{"address":"::","family":"IPv5","port":80,"epoch":1}',
    '{"address":"::","family":"IPv6","port":"80","epoch":1}',
    '{"address":"::","family":"IPv6","port":0,"epoch":1}',
    '{"address":"::","family":"IPv6","port":65536,"epoch":1}',
    '{"address":"::","family":"IPv6","port":80.5,"epoch":1}',
    '{"address":"::","family":"IPv6","epoch":1}',
    '{"address":"::","family":"IPv6","port":80}',
    '{"address":"::","family":"IPv6","port":80,"epoch":1.5}',
  ])('refuses %j', (payload) => {
    expect(() => decodeClaimed(payload)).toThrow(expect.objectContaining({ code: 'EPROTO', syscall: 'read' }) as Error)
  })
})

describe('REFUSED', () => {
  test('brings the error of the broker to the owner', () => {
    const parts = {
      code: 'EADDRINUSE',
      syscall: 'listen',
      subject: 'http://localhost:8080/2/',
      reason: 'process 7 has claimed this prefix',
      remedy: 'Stop "it".',
    } as const
    const sent = new HttpSysError({ ...parts, cause: new Error('stays behind') })
    const received = decodeRefused(encodeRefused(sent))
    expect(received).toBeInstanceOf(HttpSysError)
    expect(received).toMatchObject(parts)
    expect({ message: received.message, errno: received.errno }).toEqual({ message: sent.message, errno: sent.errno })
  })

  test('tells of an unexpected failure, too', () => {
    const received = decodeRefused(encodeRefused(new TypeError('x is undefined')))
    expect(received).toMatchObject({ code: 'EPROTO', syscall: 'listen', subject: 'httpsys broker' })
    expect(received.reason).toBe('TypeError: x is undefined')
    expect(received.remedy).toMatch(/broker\.log/)
  })

  test.each(['{}', '[]', '{"code":7}', '{"code":"ENEW","reason":null}', '{"code":"toString"}'])(
    'takes %s for an error that it does not know',
    (payload) => {
      expect(decodeRefused(payload)).toMatchObject({ code: 'EPROTO', reason: 'the broker refused the claim' })
    },
  )

  test.each(['', '{', 'null', '1'])('refuses %j', (payload) => {
    expect(() => decodeRefused(payload)).toThrow(expect.objectContaining({ code: 'EPROTO' }) as Error)
  })
})
