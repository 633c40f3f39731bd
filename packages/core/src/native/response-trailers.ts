import { HttpDataChunkTrailers } from './constants.ts'
import { HTTP_DATA_CHUNK, HTTP_UNKNOWN_HEADER } from './layout.ts'
import type { MemoryBlock } from './memory-block.ts'
import { putUnknown } from './response-encoder.ts'

/** Room that {@link putTrailers} needs at most: a header for each line, none of which is shorter than `a:` and its line end, and the text. */
export function trailersBytes(trailers: string): number {
  return (HTTP_UNKNOWN_HEADER.$size + 1) * trailers.length
}

/**
 * Writes trailers as the data chunk that HTTP.SYS knows for them, which the block begins with; from `start` on stand the array of headers and
 * their text.
 *
 * @param trailers - complete field lines, one byte a character
 */
export function putTrailers(block: MemoryBlock, start: number, trailers: string): void {
  const lines = trailers.split('\r\n').filter((line) => line !== '')
  // SAFETY: idle, and behind `start` as long as `trailersBytes` says.
  block.u32[HTTP_DATA_CHUNK.DataChunkType >>> 2] = HttpDataChunkTrailers
  block.u32[HTTP_DATA_CHUNK['Trailers.TrailerCount'] >>> 2] = lines.length
  block.putPointer(HTTP_DATA_CHUNK['Trailers.pTrailers'], start)
  let at = start + lines.length * HTTP_UNKNOWN_HEADER.$size
  for (const [index, line] of lines.entries()) {
    const colon = line.indexOf(':')
    const value = line.slice(colon + 1).trimStart()
    block.bytes.write(line, at, 'latin1')
    const valueAt = at + line.length - value.length
    putUnknown(block, start + index * HTTP_UNKNOWN_HEADER.$size, at, colon, valueAt, value.length)
    at += line.length
  }
}
