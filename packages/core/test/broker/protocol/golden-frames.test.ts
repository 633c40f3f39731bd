import { describe, expect, test } from 'vitest'
import type { OwnerBlocks } from '../../../src/broker/blocks/owner-blocks.ts'
import { BrokerExchange } from '../../../src/broker/client/broker-exchange.ts'
import type { HttpSysErrorParts } from '../../../src/base/errors.ts'
import { HttpSysError } from '../../../src/base/errors.ts'
import { HeadParser } from '../../../src/broker/daemon/http1/head-parser.ts'
import { writeRequestFrame } from '../../../src/broker/daemon/exchange/request-frame.ts'
import { OwnerPeer } from '../../../src/broker/daemon/owner-peer.ts'
import type { AnnouncedConnection } from '../../../src/broker/daemon/owner-peer.ts'
import { encodeClaim, encodeClaimed, encodeRefused } from '../../../src/broker/protocol/claims.ts'
import {
  DISCONNECT_RESET,
  FRAME_CLAIM,
  FRAME_CLAIMED,
  FRAME_FLUSH,
  FRAME_FLUSHED,
  FLAG_END,
  FRAME_BLOCK_FREE,
  FRAME_HELLO,
  FRAME_REFUSED,
  FRAME_RELEASE,
  FRAME_RELEASED,
  FRAME_REVOKED,
  REQUEST_HAS_BODY,
} from '../../../src/broker/protocol/frames.ts'
import type { FrameWriter } from '../../../src/broker/protocol/frame-writer.ts'
import { encodeHello } from '../../../src/broker/protocol/hello.ts'
import {
  LENGTH_UNKNOWN,
  RESPONSE_CLOSE,
  RESPONSE_NO_DATE,
  RESPONSE_OPAQUE,
  UNTIL_INVALIDATED,
} from '../../../src/queue/exchange.ts'
import { hex, hexOf } from '../../support/frames.ts'

// Owners and brokers of different releases meet on one machine: these bytes change only together with PROTOCOL_VERSION.

const EXCHANGE = 0x0012_3456

function requestFrame(request: string): string {
  const head = new HeadParser()
  const bytes = Buffer.from(`..${request}`, 'latin1')
  const bodyStart = head.parse(bytes, 2, bytes.length)
  if (bodyStart <= 0) throw new Error(`refused: ${bodyStart}`)
  return hexOf((writer) => writeRequestFrame(writer, head, EXCHANGE, 7, 9, bytes, bodyStart, bytes.length))
}

function exchangeFrames(act: (exchange: BrokerExchange) => void, flags = 0): string {
  return hexOf((writer) => {
    // Block 5 is free, and no other.
    const blocks = { put: (_: unknown, length: number) => (length < 20_000 ? -1 : 5) } as unknown as OwnerBlocks
    const home = { writer, blocks, onExchangeClosed: () => {} }
    const head = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    act(new BrokerExchange(home, EXCHANGE, {} as never, {} as never, flags, head, 3, 1, 1, false))
  })
}

/** What a peer sends, its answer to HELLO included. */
function peerFrames(act: (peer: OwnerPeer) => void): string {
  const sent: Buffer[] = []
  const connection = {
    descriptor: -1,
    defer: setImmediate,
    writeChunks: (chunks: Buffer[], done: () => void) => {
      sent.push(...chunks.map((chunk) => Buffer.from(chunk)))
      done()
    },
  }
  const peer = new OwnerPeer(connection as never, {} as never, { choice: undefined, watch: {} as never })
  act(peer)
  peer.writer.flush()
  return Buffer.concat(sent).toString('hex')
}

const CLIENT = {
  remoteAddress: '::ffff:10.0.0.7',
  remotePort: 50_000,
  localAddress: '::1',
  localPort: 8080,
} as AnnouncedConnection

const REFUSAL: HttpSysErrorParts = {
  code: 'EADDRINUSE',
  syscall: 'listen',
  subject: 'port 80',
  reason: 'taken',
  remedy: 'Stop it.',
}

describe('both ways', () => {
  test.each<[string, string, (writer: FrameWriter) => void]>([
    [
      'HELLO',
      `15000000 01 00 0000 00000000 'HSYS 2 71'`,
      (to) => to.text(FRAME_HELLO, 0, 0, 0, encodeHello(71), 'latin1'),
    ],
    ['CREDIT', '10000000 04 00 0000 56341200 00000100', (to) => to.credit(EXCHANGE, 65_536)],
    ['BODY_BLOCK', '10000000 05 01 0f00 56341200 204e0000', (to) => to.block(FLAG_END, 15, EXCHANGE, 20_000)],
    ['BLOCK_FREE', '0c000000 06 00 0f00 00000000', (to) => to.signal(FRAME_BLOCK_FREE, 0, 15, 0)],
  ])('%s', (_, bytes, write) => {
    expect(hexOf(write)).toBe(hex(bytes))
  })
})

describe('owner to broker', () => {
  test.each<[string, string, (writer: FrameWriter) => void]>([
    [
      'CLAIM',
      `5a000000 10 00 0000 03000000
       '{"href":"http://a:1/\u00c3\u00bc/","mode":"create","settings":{"holdFor":500},"epoch":7}'`,
      (to) => {
        const claim = { href: 'http://a:1/ü/', mode: 'create', settings: { holdFor: 500 }, epoch: 7 } as const
        to.text(FRAME_CLAIM, 0, 0, 3, encodeClaim(claim), 'utf8')
      },
    ],
    ['RELEASE', '0c000000 11 00 0000 03000000', (to) => to.signal(FRAME_RELEASE, 0, 0, 3)],
    ['FLUSH', `10000000 1a 00 0000 03000000 '/2/a'`, (to) => to.text(FRAME_FLUSH, 0, 0, 3, '/2/a', 'utf8')],
  ])('%s', (_, bytes, write) => {
    expect(hexOf(write)).toBe(hex(bytes))
  })

  test.each<[string, string, (exchange: BrokerExchange) => void]>([
    [
      'RESPONSE, whole, with a length',
      `26000000 12 11 c800 56341200 02000000 00000000 06000000 0200 0000 'OK' 'A: b\r\n' 'hi'`,
      (exchange) => exchange.sendResponse(200, 'OK', 'A: b\r\n', 2, 0, 'hi', 'utf8', true),
    ],
    [
      'RESPONSE, the first part, of unknown length, and BODY with the rest',
      `1d000000 12 06 c800 56341200 00000000 00000000 00000000 0000 0000 'a'
       0d000000 02 01 0000 56341200 'b'`,
      (exchange) => {
        const flags = RESPONSE_CLOSE | RESPONSE_NO_DATE
        exchange.sendResponse(200, '', '', LENGTH_UNKNOWN, flags, Buffer.from('a'), null, false)
        exchange.sendBody('b', 'utf8', true, '')
      },
    ],
    [
      'RESPONSE, and BODY_BLOCK with a piece that lies in a block',
      `1c000000 12 10 c800 56341200 204e0000 00000000 00000000 0000 0000
       10000000 05 01 0500 56341200 204e0000`,
      (exchange) => exchange.sendResponse(200, '', '', 20_000, 0, Buffer.alloc(20_000), null, true),
    ],
    [
      'RESPONSE with a length of more than 32 bits and a reason outside ASCII',
      `1d000000 12 10 cd00 56341200 01000000 01000000 00000000 0100 0000 'ü'`,
      (exchange) => exchange.sendResponse(205, 'ü', '', 0x1_0000_0001, 0, null, null, false),
    ],
    [
      'RESPONSE that may be cached for 60 seconds',
      `2a000000 12 91 c800 56341200 02000000 00000000 06000000 0200 0000 3c000000 'OK' 'A: b\r\n' 'hi'`,
      (exchange) => {
        exchange.setCachePolicy(60)
        exchange.sendResponse(200, 'OK', 'A: b\r\n', 2, 0, 'hi', 'utf8', true)
      },
    ],
    [
      'RESPONSE that may be cached until it is flushed',
      `20000000 12 81 cc00 56341200 00000000 00000000 00000000 0000 0000 ffffffff`,
      (exchange) => {
        exchange.setCachePolicy(UNTIL_INVALIDATED)
        exchange.sendResponse(204, '', '', LENGTH_UNKNOWN, 0, null, null, true)
      },
    ],
    [
      'RESPONSE that comes in pieces, which no cache keeps',
      `1c000000 12 00 c800 56341200 00000000 00000000 00000000 0000 0000`,
      (exchange) => {
        exchange.setCachePolicy(60)
        exchange.sendResponse(200, '', '', LENGTH_UNKNOWN, 0, null, null, false)
      },
    ],
    [
      'RESPONSE that turns the connection into a raw one',
      `1c000000 12 08 6500 56341200 00000000 00000000 00000000 0000 0000`,
      (exchange) => exchange.sendResponse(101, '', '', LENGTH_UNKNOWN, RESPONSE_OPAQUE, null, null, false),
    ],
    [
      'RESPONSE and TRAILERS',
      `1c000000 12 00 c800 56341200 00000000 00000000 00000000 0000 0000
       12000000 03 01 0000 56341200 'T: u\r\n'`,
      (exchange) => {
        exchange.sendResponse(200, '', '', LENGTH_UNKNOWN, 0, null, null, false)
        exchange.sendBody(null, null, true, 'T: u\r\n')
      },
    ],
    [
      'INFORMATIONAL',
      `12000000 13 00 6700 56341200 'L: m\r\n'`,
      (exchange) => exchange.sendInformational(103, 'L: m\r\n'),
    ],
    ['DISCARD', '0c000000 14 00 0000 56341200', (exchange) => exchange.discardBody()],
    ['CANCEL', '0c000000 15 00 0000 56341200', (exchange) => exchange.cancel()],
    [
      'CREDIT, in large steps',
      '10000000 04 00 0000 56341200 00800000',
      (exchange) => {
        exchange.grantBody(32_767)
        exchange.grantBody(1)
      },
    ],
  ])('%s', (_, bytes, act) => {
    expect(exchangeFrames(act, REQUEST_HAS_BODY)).toBe(hex(bytes))
  })
})

describe('broker to owner', () => {
  test.each<[string, string, (writer: FrameWriter) => void]>([
    [
      'CLAIMED',
      `47000000 20 00 0000 03000000 '{"address":"127.0.0.1","family":"IPv4","port":80,"epoch":7}'`,
      (to) => {
        const claimed = { address: '127.0.0.1', family: 'IPv4', port: 80, epoch: 7 } as const
        to.text(FRAME_CLAIMED, 0, 0, 3, encodeClaimed(claimed), 'utf8')
      },
    ],
    [
      'REFUSED',
      `6d000000 21 00 0000 03000000
       '{"code":"EADDRINUSE","syscall":"listen","subject":"port 80","reason":"taken","remedy":"Stop it."}'`,
      (to) => to.text(FRAME_REFUSED, 0, 0, 3, encodeRefused(new HttpSysError(REFUSAL)), 'utf8'),
    ],
    ['REVOKED', '0c000000 2a 00 0000 03000000', (to) => to.signal(FRAME_REVOKED, 0, 0, 3)],
    ['RELEASED', '0c000000 22 00 0000 03000000', (to) => to.signal(FRAME_RELEASED, 0, 0, 3)],
    ['FLUSHED', '0c000000 2e 00 0000 03000000', (to) => to.signal(FRAME_FLUSHED, 0, 0, 3)],
  ])('%s', (_, bytes, write) => {
    expect(hexOf(write)).toBe(hex(bytes))
  })

  test.each<[string, string, (peer: OwnerPeer) => void]>([
    [
      'CONNECTION',
      `2a000000 23 00 0000 00000000 '50000 8080 ::ffff:10.0.0.7 ::1'`,
      (peer) => void peer.announce(CLIENT),
    ],
    ['CONNECTION_CLOSED', '0c000000 24 00 0000 05000000', (peer) => peer.forget(5)],
    ['DISCONNECT', '0c000000 26 00 0200 56341200', (peer) => peer.disconnectExchange(EXCHANGE, DISCONNECT_RESET)],
  ])('%s', (_, bytes, act) => {
    expect(peerFrames(act)).toBe(hex(bytes))
  })

  test.each([
    [
      'REQUEST without a body',
      'GET /2/a?b HTTP/1.1\r\nHost: a\r\n\r\n',
      `3c000000 25 40 0000 56341200 07000000 09000000 0300 0600 0100 2000
       'GET /2/a?b HTTP/1.1\r\nHost: a\r\n\r\n'`,
    ],
    [
      'REQUEST with all of its body',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi',
      `4d000000 25 43 0000 56341200 07000000 09000000 0400 0100 0200 2f00
       'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'`,
    ],
    [
      'REQUEST with a part of its body, on a connection that ends with it',
      'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nConnection: close\r\nExpect: 100-continue\r\n\r\nhi',
      `75000000 25 0a 0000 56341200 07000000 09000000 0300 0100 0400 5700
       'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nConnection: close\r\nExpect: 100-continue\r\n\r\nhi'`,
    ],
    [
      'REQUEST that offers another protocol',
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nExpect: y\r\n\r\n',
      `63000000 25 54 0000 56341200 07000000 09000000 0300 0100 0400 4700
       'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nExpect: y\r\n\r\n'`,
    ],
    [
      'REQUEST of HTTP/1.0, without Host',
      'GET / HTTP/1.0\r\n\r\n',
      `2e000000 25 20 0000 56341200 07000000 09000000 0300 0100 0000 1200 'GET / HTTP/1.0\r\n\r\n'`,
    ],
  ])('%s', (_, request, bytes) => {
    expect(requestFrame(request)).toBe(hex(bytes))
  })
})
