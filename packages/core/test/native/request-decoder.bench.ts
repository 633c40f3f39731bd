import koffi from 'koffi'
import { bench, describe } from 'vitest'
import { decodeRequest } from '../../src/native/request-decoder.ts'
import { BROWSER_REQUEST, requestBlock } from './request-bytes.ts'

// Run by hand: npx vitest bench packages/core/test/native/request-decoder.bench.ts
describe('an HTTP_REQUEST_V2', () => {
  const browser = requestBlock({ ...BROWSER_REQUEST, parseStart: 1n })
  const small = requestBlock({
    url: '/2/',
    known: { 28: 'localhost:8080', 1: 'keep-alive', 20: '*/*' },
    parseStart: 1n,
  })
  const knownHeader = koffi.struct({ length: 'uint16_t', value: 'void *' })
  const fixed = koffi.struct({ start: koffi.array('uint8_t', 152), known: koffi.array(knownHeader, 41) })

  bench('a load generator’s, with typed reads', () => {
    decodeRequest(small)
  })
  bench('a browser’s with 14 headers, with typed reads', () => {
    decodeRequest(browser)
  })
  bench('koffi.decode of the fixed part alone', () => {
    koffi.decode(BigInt(browser.address), fixed)
  })
})
