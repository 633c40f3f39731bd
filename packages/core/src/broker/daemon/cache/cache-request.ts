import { latin1 } from '../../../base/latin1.ts'
import { isGetRequest, isHeadRequest } from '../exchange/request-method.ts'
import { TOKEN, VALUE, equalsIgnoringCase } from '../http1/characters.ts'
import { FORM_ORIGIN } from '../http1/head-parser.ts'
import type { HeadParser } from '../http1/head-parser.ts'

const CR = 13
const COLON = 58
const SPACE = 32
const TAB = 9

/**
 * Of what a client says in Cache-Control only this is heard. The rest is about how old a response may be, and would let anyone wake the
 * app with every request.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9111#section-5.2.1.5
 */
const NO_STORE = /(?:^|,)[ \t]*no-store[ \t]*(?:,|$)/i

/** Headers that let a request mean something else than it says, for some app: such a request has nothing to do with the cache. */
const DISGUISES = new Set([
  'x-host',
  'x-http-host-override',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-host',
  'x-original-url',
  'x-rewrite-url',
])

/** Under which name and how the client came to a proxy in front: what an app makes links of. X-Forwarded-For is not among them. */
const ORIGINS = new Set([
  'forwarded',
  'front-end-https',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-forwarded-protocol',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-scheme',
  'x-url-scheme',
])

/**
 * What a request says to the cache. One object serves all requests, since a look-up is over before the next one; the bytes are
 * those of the parser's last call.
 */
export class CacheRequest {
  /** Authority and target as the client wrote them, and whatever else an app may take for a part of the URL. */
  key = ''
  /** The path of the target, without the query. */
  path = ''
  isHead = false
  /** The response may be stored: a whole one is asked for. */
  canFill = false
  // The values of conditional fields, null where there is none.
  ifNoneMatch: string | null = null
  ifModifiedSince: string | null = null
  range: string | null = null
  ifRange: string | null = null
  /** The client wants no copy of the response to be left anywhere. */
  #isPrivate = false
  #head!: HeadParser
  #bytes!: Buffer

  /**
   * Reads the request that the parser has just read.
   *
   * @param path - of the target, without the query
   * @param host - as the client wrote it
   * @returns whether the cache may have to do with it at all
   */
  read(head: HeadParser, bytes: Buffer, path = latin1(bytes, head.pathStart, head.pathEnd), host?: string): boolean {
    this.#head = head
    this.#bytes = bytes
    const hasBody = head.isChunked || head.contentLength > 0
    if (hasBody || head.isUpgrade || head.expect !== 0 || head.targetForm !== FORM_ORIGIN) return false
    // Without Host the app takes some name of its own for the client's.
    if (head.hostStart === -1 || !this.#isReading(head, bytes)) return false
    this.path = path
    this.key = `${host ?? latin1(bytes, head.hostStart, head.hostEnd)} ${path}`
    if (head.targetEnd > head.pathEnd) this.key += latin1(bytes, head.pathEnd, head.targetEnd)
    this.ifNoneMatch = null
    this.ifModifiedSince = null
    this.range = null
    this.ifRange = null
    this.#isPrivate = false
    if (!this.#readFields(bytes, head.fieldsStart)) return false
    this.canFill = !this.isHead && this.range === null && !this.#isPrivate
    return true
  }

  /** The values of the fields that a response varies with, in a form that is the same for the same values. */
  selectorsOf(names: readonly string[]): string {
    if (names.length === 0) return ''
    const values = new Map<string, string>()
    this.#eachField((name, value) => {
      if (!names.includes(name)) return
      const before = values.get(name)
      values.set(name, before === undefined ? value : `${before}, ${value}`)
    })
    // A field that is missing differs from an empty one.
    return names.map((name) => values.get(name) ?? '\n').join('\r')
  }

  #isReading(head: HeadParser, bytes: Buffer): boolean {
    this.isHead = isHeadRequest(head, bytes)
    return this.isHead || isGetRequest(head, bytes)
  }

  /** Returns false when a field keeps the request from the cache. */
  #readFields(bytes: Buffer, start: number): boolean {
    let position = start
    while (bytes[position] !== CR) {
      const name = position
      while (TOKEN[bytes[position]!] === 1) position++
      const nameEnd = position++
      while (VALUE[bytes[position]!] === 1) position++
      if (!this.#readField(bytes, name, nameEnd, position)) return false
      position += 2
    }
    return true
  }

  /** By first letter, since most fields mean nothing here. */
  #readField(bytes: Buffer, name: number, nameEnd: number, end: number): boolean {
    switch (bytes[name]! | 32) {
      case 97: // a
        return !equalsIgnoringCase(bytes, name, nameEnd, 'authorization')
      case 99: // c
        if (equalsIgnoringCase(bytes, name, nameEnd, 'cache-control')) {
          this.#isPrivate ||= NO_STORE.test(latin1(bytes, nameEnd + 1, end))
        }
        return true
      case 105: // i
        return this.#readCondition(bytes, name, nameEnd, end)
      case 112: // p
        return !equalsIgnoringCase(bytes, name, nameEnd, 'proxy-authorization')
      case 114: // r
        if (equalsIgnoringCase(bytes, name, nameEnd, 'range')) {
          this.range = joined(this.range, valueOf(bytes, nameEnd, end))
        }
        return true
      case 116: // t
        if (!equalsIgnoringCase(bytes, name, nameEnd, 'translate')) return true
        return valueOf(bytes, nameEnd, end).toLowerCase() !== 'f'
      case 102: // f
      case 120: // x
        return this.#readOrigin(bytes, name, nameEnd, end)
      default:
        return true
    }
  }

  #readCondition(bytes: Buffer, start: number, nameEnd: number, end: number): boolean {
    switch (latin1(bytes, start, nameEnd).toLowerCase()) {
      case 'if-none-match':
        this.ifNoneMatch = joined(this.ifNoneMatch, valueOf(bytes, nameEnd, end))
        return true
      case 'if-modified-since':
        this.ifModifiedSince = valueOf(bytes, nameEnd, end)
        return true
      case 'if-range':
        this.ifRange = valueOf(bytes, nameEnd, end)
        return true
      // They are for requests that change something, and may fail; the app's to judge.
      case 'if-match':
      case 'if-unmodified-since':
        return false
      default:
        return true
    }
  }

  #readOrigin(bytes: Buffer, start: number, nameEnd: number, end: number): boolean {
    const name = latin1(bytes, start, nameEnd).toLowerCase()
    if (DISGUISES.has(name)) return false
    if (ORIGINS.has(name)) this.key += `\n${name}:${valueOf(bytes, nameEnd, end)}`
    return true
  }

  #eachField(use: (name: string, value: string) => void): void {
    const bytes = this.#bytes
    let position = this.#head.fieldsStart
    while (bytes[position] !== CR) {
      const name = position
      while (bytes[position] !== COLON) position++
      const nameEnd = position
      while (bytes[position] !== CR) position++
      use(latin1(bytes, name, nameEnd).toLowerCase(), valueOf(bytes, nameEnd, position))
      position += 2
    }
  }
}

/** The value behind a name's colon, without the white space around it. */
function valueOf(bytes: Buffer, nameEnd: number, end: number): string {
  let from = nameEnd + 1
  let to = end
  while (from < to && (bytes[from] === SPACE || bytes[from] === TAB)) from++
  while (to > from && (bytes[to - 1] === SPACE || bytes[to - 1] === TAB)) to--
  return latin1(bytes, from, to)
}

function joined(before: string | null, value: string): string {
  return before === null ? value : `${before}, ${value}`
}
