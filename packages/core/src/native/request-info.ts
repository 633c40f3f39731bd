import { HttpRequestInfoTypeRequestTiming, HttpRequestTimingTypeRequestHeaderParseStart } from './constants.ts'
import { HTTP_REQUEST, HTTP_REQUEST_INFO, HTTP_REQUEST_TIMING_INFO } from './layout.ts'
import type { MemoryBlock } from './memory-block.ts'

const COUNT_16 = HTTP_REQUEST.RequestInfoCount >>> 1
/** Of the moment that counts, in an HTTP_REQUEST_TIMING_INFO. */
const PARSE_START = HTTP_REQUEST_TIMING_INFO.RequestTiming + 8 * HttpRequestTimingTypeRequestHeaderParseStart

/**
 * Finds what newer releases of Windows tell of a request besides, among other things that are skipped.
 *
 * @param length - bytes that it must have
 * @returns where in the block; -1 for nowhere
 */
export function findRequestInfo(block: MemoryBlock, type: number, length: number): number {
  const count = block.u16[COUNT_16]!
  if (count === 0) return -1
  const { bytes } = block
  // SAFETY: the receive has completed, and every offset is checked to be inside the block. Wine does not align what lies behind the
  // struct of a request.
  const infos = block.offsetOf(HTTP_REQUEST.pRequestInfo, count * HTTP_REQUEST_INFO.$size)
  if (infos === -1) return -1
  for (let at = infos; at < infos + count * HTTP_REQUEST_INFO.$size; at += HTTP_REQUEST_INFO.$size) {
    if (bytes.readUInt32LE(at + HTTP_REQUEST_INFO.InfoType) !== type) continue
    const start = targetOf(block, at + HTTP_REQUEST_INFO.pInfo)
    const isWhole = start !== -1 && bytes.readUInt32LE(at + HTTP_REQUEST_INFO.InfoLength) >= length
    if (isWhole && start + length <= block.byteLength) return start
  }
  return -1
}

/** The performance counter when HTTP.SYS began to parse the request; 0 where it does not tell. */
export function parseStartOf(block: MemoryBlock): number {
  const at = findRequestInfo(block, HttpRequestInfoTypeRequestTiming, PARSE_START + 8)
  if (at === -1) return 0
  const { bytes } = block
  // SAFETY: as above.
  return bytes.readUInt32LE(at + PARSE_START) + bytes.readUInt32LE(at + PARSE_START + 4) * 0x1_0000_0000
}

/** Where in the block a pointer that need not be aligned leads; -1 for NULL or elsewhere. */
export function targetOf(block: MemoryBlock, pointer: number): number {
  const low = block.bytes.readUInt32LE(pointer)
  if (low === 0 && block.bytes.readUInt32LE(pointer + 4) === 0) return -1
  const target = (low - block.low) >>> 0
  return target < block.byteLength ? target : -1
}
