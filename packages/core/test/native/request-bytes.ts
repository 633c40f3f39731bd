import { MemoryBlock } from '../../src/native/memory-block.ts'
import { koffiMemory } from '../../src/native/load-win32.ts'

/** A request as a test writes it down. */
export interface RequestText {
  /** A number of HTTP_VERB, or the text of another method. */
  readonly verb?: number | string
  readonly url?: string
  readonly version?: readonly [major: number, minor: number]
  readonly flags?: number
  /** By HTTP_HEADER_ID. */
  readonly known?: Readonly<Record<number, string>>
  readonly unknown?: readonly (readonly [name: string, value: string])[]
  readonly body?: readonly string[]
  /** Arrays begin at odd addresses, as with Wine. */
  readonly isUnaligned?: boolean
  /** When parsing began, as newer releases of Windows tell behind two other things. */
  readonly parseStart?: bigint
  readonly id?: bigint
  readonly connectionId?: bigint
}

/**
 * Fills a block as HTTP.SYS does, with plain numbers and a Buffer: nothing here is shared with the decoder but the golden layout of
 * HTTP_REQUEST_V2 (864 bytes, known header i at 152 + 16·i).
 */
export function requestBlock(text: RequestText, size = 20 * 1024): MemoryBlock {
  const block = new MemoryBlock(koffiMemory, size)
  const { bytes } = block
  let end = 864
  const place = (value: string): bigint => {
    const at = end
    end += bytes.write(value, at, 'latin1')
    return BigInt(block.address + at)
  }
  bytes.writeUInt32LE(text.flags ?? 0, 0)
  bytes.writeBigUInt64LE(text.connectionId ?? 0xfb00_0000_8000_0001n, 8)
  bytes.writeBigUInt64LE(text.id ?? 0xfb00_0001_8000_0002n, 16)
  const [major, minor] = text.version ?? [1, 1]
  bytes.writeUInt16LE(major, 32)
  bytes.writeUInt16LE(minor, 34)
  const verb = text.verb ?? 4
  bytes.writeInt32LE(typeof verb === 'number' ? verb : 1, 36)
  const url = text.url ?? '/'
  bytes.writeUInt16LE(url.length, 42)
  bytes.writeBigUInt64LE(place(url), 56)
  if (typeof verb === 'string') {
    bytes.writeUInt16LE(verb.length, 40)
    bytes.writeBigUInt64LE(place(verb), 48)
  }
  for (const [id, value] of Object.entries(text.known ?? {})) {
    bytes.writeUInt16LE(value.length, 152 + 16 * Number(id))
    bytes.writeBigUInt64LE(place(value), 160 + 16 * Number(id))
  }
  const unknown = text.unknown ?? []
  const align = (at: number): number => (text.isUnaligned ? at | 1 : (at + 7) & ~7)
  end = align(end)
  const array = end
  end += 24 * unknown.length
  if (unknown.length > 0) {
    bytes.writeUInt16LE(unknown.length, 120)
    bytes.writeBigUInt64LE(BigInt(block.address + array), 128)
  }
  for (const [index, [name, value]] of unknown.entries()) {
    const at = array + 24 * index
    bytes.writeUInt16LE(name.length, at)
    bytes.writeUInt16LE(value.length, at + 2)
    bytes.writeBigUInt64LE(place(name), at + 8)
    bytes.writeBigUInt64LE(place(value), at + 16)
  }
  const body = text.body ?? []
  end = align(end)
  const chunks = end
  end += 32 * body.length
  if (body.length > 0) {
    bytes.writeUInt16LE(body.length, 816)
    bytes.writeBigUInt64LE(BigInt(block.address + chunks), 824)
  }
  for (const [index, piece] of body.entries()) {
    const at = chunks + 32 * index
    bytes.writeInt32LE(0, at)
    bytes.writeUInt32LE(piece.length, at + 16)
    bytes.writeBigUInt64LE(place(piece), at + 8)
  }
  if (text.parseStart !== undefined) {
    end = align(end)
    const infos = end
    end = align(end + 3 * 16)
    bytes.writeUInt16LE(3, 848)
    bytes.writeBigUInt64LE(BigInt(block.address + infos), 856)
    for (const [index, type] of [6, 7, 5].entries()) {
      bytes.writeInt32LE(type, infos + 16 * index)
      bytes.writeUInt32LE(248, infos + 16 * index + 4)
      // The others point at bytes that mean something else.
      bytes.writeBigUInt64LE(BigInt(block.address + (type === 5 ? end : 0)), infos + 16 * index + 8)
    }
    bytes.writeBigUInt64LE(text.parseStart, end + 8 + 15 * 8)
  }
  return block
}

/** What a browser sends, with nine known and five unknown headers. */
export const BROWSER_REQUEST: RequestText = {
  url: '/2/products/1842?color=blue&page=3',
  known: {
    1: 'keep-alive',
    20: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
    22: 'gzip, deflate, br, zstd',
    23: 'en-GB,en;q=0.9,de;q=0.8',
    25: 'session=9f86d081884c7d659a2feaa0c55ad015; theme=dark',
    28: 'shop.example.com',
    31: 'W/"33a64df551425fcc55e4d42a148795d9f25f89d4"',
    36: 'https://shop.example.com/2/products/',
    40: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
  },
  unknown: [
    ['Upgrade-Insecure-Requests', '1'],
    ['Sec-Fetch-Site', 'same-origin'],
    ['Sec-Fetch-Mode', 'navigate'],
    ['Sec-Fetch-Dest', 'document'],
    ['X-Mixed-Case', 'Value'],
  ],
}
