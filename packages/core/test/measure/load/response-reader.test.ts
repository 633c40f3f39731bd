import { describe, expect, test } from 'vitest'
import { ResponseReader } from '../../../src/measure/load/response-reader.ts'

type Seen = [status: number, closes: boolean]

function read(text: string, pieces: number, isHead = false): { seen: Seen[]; endsWithConnection: boolean } {
  const seen: Seen[] = []
  const reader = new ResponseReader(isHead, (status, closes) => seen.push([status, closes]))
  const bytes = Buffer.from(text, 'latin1')
  for (let start = 0; start < bytes.length; start += pieces) reader.push(bytes.subarray(start, start + pieces))
  return { seen, endsWithConnection: reader.endsWithConnection }
}

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const CHUNKED =
  'HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\nA\r\n0\r\n\r\n56789\r\n0\r\nX-Trailer: 1\r\n\r\n'
const NO_CONTENT = 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'
const EMPTY = 'HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

describe.each([1, 2, 7, 1000])('responses that arrive in pieces of %i bytes', (pieces) => {
  test('are told apart whatever their framing', () => {
    expect(read(LENGTH + CHUNKED + NO_CONTENT + CONTINUE + LENGTH + EMPTY, pieces)).toEqual({
      seen: [
        [200, false],
        [404, false],
        [204, false],
        [200, false],
        [302, true],
      ],
      endsWithConnection: false,
    })
  })

  test('end with the connection when nothing says their length', () => {
    expect(read('HTTP/1.1 200 OK\r\n\r\nhello', pieces)).toEqual({ seen: [], endsWithConnection: true })
  })

  test('to HEAD have no body', () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'
    expect(read(head + head, pieces, true).seen).toHaveLength(2)
  })
})

test.each(['SSH-2.0-OpenSSH\r\n\r\n', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n'])(
  '%j is no response',
  (text) => {
    expect(() => read(text, 1000)).toThrow()
  },
)
