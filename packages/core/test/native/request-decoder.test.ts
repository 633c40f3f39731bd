import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { REQUEST_HEADER_NAMES, RESPONSE_HEADER_NAMES, VERBS } from '../../src/native/known-headers.ts'
import { copyEntityChunks, decodeRequest } from '../../src/native/request-decoder.ts'
import { localAddressOf, remoteAddressOf } from '../../src/native/socket-address.ts'
import { BROWSER_REQUEST, requestBlock } from './request-bytes.ts'

describe('decodeRequest', () => {
  test('reads what a browser sends', () => {
    const request = decodeRequest(requestBlock(BROWSER_REQUEST))
    expect(request).toMatchObject({
      id: 0xfb00_0001_8000_0002n,
      connectionLow: 0x8000_0001,
      connectionHigh: 0xfb00_0000,
      method: 'GET',
      target: '/2/products/1842?color=blue&page=3',
      majorVersion: 1,
      minorVersion: 1,
      isMultiplexed: false,
      hasBody: false,
      isUpgrade: false,
      expectation: 0,
      isKeepAlive: true,
    })
    expect(request.rawHeaders.slice(0, 4)).toEqual(['Connection', 'keep-alive', 'Accept', BROWSER_REQUEST.known![20]])
    expect(request.rawHeaders.slice(-4)).toEqual(['Sec-Fetch-Dest', 'document', 'X-Mixed-Case', 'Value'])
    expect(request.rawHeaders).toHaveLength(2 * 14)
  })

  test('gives every known header its name', () => {
    const known = Object.fromEntries(REQUEST_HEADER_NAMES.map((name, id) => [id, `value of ${name}`]))
    const { rawHeaders } = decodeRequest(requestBlock({ known }))
    expect(rawHeaders).toEqual(REQUEST_HEADER_NAMES.flatMap((name) => [name, `value of ${name}`]))
    expect([REQUEST_HEADER_NAMES.length, RESPONSE_HEADER_NAMES.length, VERBS.length]).toEqual([41, 30, 20])
  })

  test.each([
    [3, 'OPTIONS'],
    [4, 'GET'],
    [6, 'POST'],
    [10, 'CONNECT'],
    [19, 'SEARCH'],
    ['PATCH', 'PATCH'],
  ])('reads the verb %s as %s', (verb, method) => {
    expect(decodeRequest(requestBlock({ verb })).method).toBe(method)
  })

  test.each([
    [{ version: [1, 0] as const }, { minorVersion: 0, isKeepAlive: false }],
    [
      { version: [1, 0] as const, known: { 1: 'Keep-Alive' } },
      { minorVersion: 0, isKeepAlive: true },
    ],
    [{ known: { 1: 'close' } }, { minorVersion: 1, isKeepAlive: false }],
    [
      { version: [2, 0] as const, flags: 4 },
      { majorVersion: 2, minorVersion: 1, isMultiplexed: true },
    ],
    [{ known: { 1: 'keep-alive, Upgrade', 7: 'websocket' } }, { isUpgrade: true }],
    [{ known: { 7: 'websocket' } }, { isUpgrade: false }],
    [{ known: { 26: '100-Continue' } }, { expectation: 1 }],
    [{ known: { 26: 'tea' } }, { expectation: 2 }],
    [{ known: { 6: 'chunked' } }, { hasBody: true, hasMoreBody: false }],
    [
      { flags: 1, known: { 11: '5' } },
      { hasBody: true, hasMoreBody: true },
    ],
    [{ known: { 0: '' } }, { rawHeaders: ['Cache-Control', ''] }],
    // A value that is spelled like a header's name is no header.
    [{ known: { 0: 'Connection', 1: 'close' } }, { isKeepAlive: false }],
  ])('makes of %j: %j', (text, expected) => {
    expect(decodeRequest(requestBlock(text))).toMatchObject(expected)
  })

  test('copies a body that came with the head, in pieces', () => {
    const block = requestBlock({ body: ['hello ', '', 'world'] })
    expect(decodeRequest(block)).toMatchObject({ hasBody: true, hasMoreBody: false })
    const pieces = copyEntityChunks(block)
    block.bytes.fill(0)
    expect(Buffer.concat(pieces).toString()).toBe('hello world')
  })

  test('reads arrays that are not aligned, as Wine leaves them', () => {
    const unknown = [['X-One', '1'] as const, ['X-Two', '2'] as const]
    const block = requestBlock({ isUnaligned: true, unknown, body: ['hello'] })
    expect(decodeRequest(block).rawHeaders).toEqual(['X-One', '1', 'X-Two', '2'])
    expect(copyEntityChunks(block).map(String)).toEqual(['hello'])
  })

  test('keeps nothing that points into the block', () => {
    const block = requestBlock(BROWSER_REQUEST)
    const before = decodeRequest(block)
    const copy = structuredClone(before)
    block.bytes.fill(0x58)
    expect(before).toEqual(copy)
  })

  test.each([
    ['the URL', 56],
    ['a known header', 160 + 16 * 28],
    ['the unknown headers', 128],
  ])('refuses %s outside of the buffer', (_, pointer) => {
    const block = requestBlock(BROWSER_REQUEST)
    block.putAddress(pointer, block.address + block.byteLength - 2)
    expect(() => decodeRequest(block)).toThrow(/outside of the receive buffer/)
    block.putAddress(pointer, block.address - 1000)
    expect(() => decodeRequest(block)).toThrow(/outside of the receive buffer/)
  })

  test('tells when parsing began, where Windows does', () => {
    expect(decodeRequest(requestBlock(BROWSER_REQUEST)).parseStart).toBe(0)
    for (const isUnaligned of [false, true]) {
      const block = requestBlock({ ...BROWSER_REQUEST, isUnaligned, parseStart: 0x12_3456_789an })
      expect(decodeRequest(block).parseStart).toBe(0x12_3456_789a)
      // What points elsewhere is not worth refusing a request.
      const infos = block.offsetOf(856, 48)
      for (const [pointer, target] of [
        [infos + 40, block.byteLength - 100],
        [856, block.byteLength - 2],
      ] as const) {
        block.bytes.writeBigUInt64LE(BigInt(block.address + target), pointer)
        expect(decodeRequest(block).parseStart).toBe(0)
      }
    }
  })

  test('never reads outside of the buffer, whatever is in it', () => {
    const block = requestBlock({ ...BROWSER_REQUEST, parseStart: 1n })
    const original = Buffer.from(block.bytes)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2100), fc.nat(255)), { minLength: 1, maxLength: 12 }), (changes) => {
        original.copy(block.bytes)
        for (const [at, value] of changes) block.bytes[at] = value
        try {
          decodeRequest(block)
          copyEntityChunks(block)
          remoteAddressOf(block)
        } catch (error) {
          if (!(error instanceof RangeError) || !error.message.startsWith('HTTP_REQUEST')) throw error
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the addresses of a request', () => {
  const block = requestBlock({})
  const write = (pointer: number, bytes: number[]): void => {
    Buffer.from(bytes).copy(block.bytes, 4000)
    block.putAddress(pointer, block.address + 4000)
  }

  test('are read from sockaddr_in', () => {
    write(104, [2, 0, 0x1f, 0x90, 192, 168, 0, 7])
    expect(remoteAddressOf(block)).toEqual({ address: '192.168.0.7', port: 8080 })
  })

  test.each([
    ['::1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['::', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['2001:db8::8:0:1', [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1]],
    ['fe80::1:2:3:4', [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4]],
    ['::ffff:127.0.0.1', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1]],
    ['1:2:3:4:5:6:7:8', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
  ])('are read from sockaddr_in6: %s', (address, bytes) => {
    write(112, [23, 0, 0, 80, 0, 0, 0, 0, ...bytes])
    expect(localAddressOf(block)).toEqual({ address, port: 80 })
  })

  test('are empty when they are missing', () => {
    block.putAddress(104, 0)
    expect(remoteAddressOf(block)).toEqual({ address: '', port: 0 })
  })
})
