import type { FrameWriter } from '../../protocol/frame-writer.ts'
import {
  FLAG_END,
  FRAME_REQUEST,
  REQUEST_EXPECT_CONTINUE,
  REQUEST_EXPECT_OTHER,
  REQUEST_FIXED_BYTES,
  REQUEST_HAS_BODY,
  REQUEST_HTTP_1_0,
  REQUEST_KEEP_ALIVE,
  REQUEST_UPGRADE,
} from '../../protocol/frames.ts'
import type { HeadParser } from '../http1/head-parser.ts'

/**
 * Puts the request that the parser has just read on its owner's queue: the head as the client wrote it, with what the parser
 * found out about it, and the part of the body that has arrived.
 *
 * @param versionFlag - REQUEST_HTTP_2 when the client has not written the head like this
 */
export function writeRequestFrame(
  writer: FrameWriter,
  head: HeadParser,
  exchangeId: number,
  connectionId: number,
  claimId: number,
  bytes: Buffer,
  bodyStart: number,
  bodyEnd: number,
  versionFlag = 0,
): void {
  const headLength = bodyStart - head.headStart
  const bodyLength = bodyEnd - bodyStart
  let flags = versionFlag
  if (head.isChunked || head.contentLength > 0) {
    flags |= REQUEST_HAS_BODY
    if (bodyLength === head.contentLength) flags |= FLAG_END
  }
  if (head.isUpgrade) flags |= REQUEST_UPGRADE
  if (head.expect === 1) flags |= REQUEST_EXPECT_CONTINUE
  else if (head.expect === 2) flags |= REQUEST_EXPECT_OTHER
  if (head.minor === 0) flags |= REQUEST_HTTP_1_0
  if (head.isKeepAlive) flags |= REQUEST_KEEP_ALIVE
  const offset = writer.reserve(REQUEST_FIXED_BYTES + headLength + bodyLength, FRAME_REQUEST, flags, 0, exchangeId)
  const view = writer.view
  view.setUint32(offset + 12, connectionId, true)
  view.setUint32(offset + 16, claimId, true)
  view.setUint16(offset + 20, head.methodEnd - head.headStart, true)
  view.setUint16(offset + 22, head.targetEnd - head.targetStart, true)
  view.setUint16(offset + 24, head.fieldCount, true)
  view.setUint16(offset + 26, headLength, true)
  bytes.copy(writer.bytes, offset + REQUEST_FIXED_BYTES, head.headStart, bodyEnd)
}
