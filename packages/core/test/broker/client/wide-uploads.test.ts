import { afterEach, expect, test } from 'vitest'
import { BrokerExchange } from '../../../src/broker/client/broker-exchange.ts'
import { ADDED_BYTES, FLOWING_BYTES } from '../../../src/broker/client/wide-uploads.ts'
import { FrameWriter } from '../../../src/broker/protocol/frame-writer.ts'
import { FRAME_CREDIT, REQUEST_HAS_BODY } from '../../../src/broker/protocol/frames.ts'
import { WINDOW_BYTES } from '../../../src/broker/protocol/limits.ts'
import { frameRecorder } from '../../support/frames.ts'

/** As many as there are: 24 MiB. */
const WIDE_WINDOWS = 64

const exchanges: BrokerExchange[] = []
afterEach(() => {
  for (const exchange of exchanges.splice(0)) exchange.onBodyDone()
})

/** An upload whose app takes what comes. */
class Upload {
  readonly exchange: BrokerExchange
  readonly #writer: FrameWriter
  granted = 0

  constructor() {
    const { reader, frames } = frameRecorder()
    this.#writer = new FrameWriter((chunks, done) => {
      for (const chunk of chunks) reader.push(chunk, 0, chunk.length)
      for (const { type, payload } of frames.splice(0))
        if (type === FRAME_CREDIT) this.granted += payload.readUInt32LE(0)
      done(true)
    })
    const home = { writer: this.#writer, blocks: null, onExchangeClosed() {} }
    const head = 'POST / HTTP/1.1\r\n\r\n'
    this.exchange = new BrokerExchange(home, 1, {} as never, {} as never, REQUEST_HAS_BODY, head, 4, 1, 0, true)
    exchanges.push(this.exchange)
  }

  take(bytes: number): void {
    for (let left = bytes; left > 0; left -= 16_384) this.exchange.grantBody(16_384)
    this.#writer.flush()
  }
}

test('an upload that flows is granted more than the app has taken, once', () => {
  const upload = new Upload()
  upload.take(FLOWING_BYTES - 16_384)
  expect(upload.granted).toBeLessThan(FLOWING_BYTES)
  upload.take(16_384)
  expect(upload.granted).toBe(FLOWING_BYTES + ADDED_BYTES)
  upload.take(8 * WINDOW_BYTES)
  expect(upload.granted).toBe(FLOWING_BYTES + ADDED_BYTES + 8 * WINDOW_BYTES)
})

test('a connection that has left HTTP is granted what has been taken', () => {
  const upload = new Upload()
  upload.exchange.beginRaw()
  upload.take(8 * WINDOW_BYTES)
  expect(upload.granted).toBe(8 * WINDOW_BYTES)
})

test.each<[string, (exchange: BrokerExchange) => void]>([
  ['has come', (exchange) => exchange.onBodyDone()],
  ['is given up', (exchange) => exchange.cancel()],
  ['is lost with the broker', (exchange) => exchange.onSessionLost()],
])('only so many have a wide window at a time; one whose body %s leaves it to another', (_, end) => {
  const wide = Array.from({ length: WIDE_WINDOWS }, () => new Upload())
  for (const upload of wide) {
    upload.take(FLOWING_BYTES)
    expect(upload.granted).toBe(FLOWING_BYTES + ADDED_BYTES)
  }
  const late = new Upload()
  late.take(2 * FLOWING_BYTES)
  expect(late.granted).toBe(2 * FLOWING_BYTES)
  end(wide[0]!.exchange)
  end(wide[0]!.exchange)
  late.take(WINDOW_BYTES)
  expect(late.granted).toBeGreaterThan(2 * FLOWING_BYTES + ADDED_BYTES)
  const later = new Upload()
  later.take(FLOWING_BYTES)
  expect(later.granted).toBe(FLOWING_BYTES)
})
