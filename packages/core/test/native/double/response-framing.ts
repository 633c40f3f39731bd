import type { EntityChunks, ResponseHead } from './response-struct.ts'
import type { ServerRequest } from './server-request.ts'

const DISCONNECT = 0x1
const MORE_DATA = 0x2
const OPAQUE = 0x40

/** What HTTP.SYS makes of a response head: the process's fields, its own, and the rules that both are held to. */
export function framedHead(
  request: ServerRequest,
  { status, reason, fields, knownIds }: ResponseHead,
  chunks: EntityChunks,
  flags: number,
  report: (violation: string) => void,
): string {
  const value = (name: string): string | undefined => fields.find(([other]) => other.toLowerCase() === name)?.[1]
  const isOpaque = (flags & OPAQUE) !== 0
  const hasNoBody = request.isHead || status === 204 || status === 304
  const length = value('content-length')
  const isChunked = value('transfer-encoding')?.toLowerCase() === 'chunked'
  const own: [string, string][] = []
  const { isMultiplexed } = request.group.process.machine.whims
  if (/[^\x20-\xff]/.test(reason)) report(`a reason phrase with control characters: ${JSON.stringify(reason)}`)
  for (const [name, text] of fields) {
    if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name)) report(`a field name that is none: ${JSON.stringify(name)}`)
    if (/[\r\n\0]/.test(text)) report(`a field value with a line end: ${name}`)
  }
  // Wine and Windows both treat `Connection: Upgrade` as their own business when it comes as a known header.
  if (knownIds.has(1) && /upgrade/i.test(value('connection')!)) report('Connection: Upgrade was sent as a known header')
  if (length !== undefined && isChunked) report('Content-Length and Transfer-Encoding in one response')
  request.framing = 'close'
  if (hasNoBody) request.framing = 0
  else if (isChunked) request.framing = 'chunked'
  else if (length !== undefined) request.framing = Number(length)
  else if ((flags & MORE_DATA) === 0 && !isOpaque) {
    request.framing = chunks.body.length
    if (!hasNoBody) own.push(['Content-Length', String(chunks.body.length)])
  } else if (isMultiplexed) {
    // The wire of the double is HTTP/1.1, whatever the structs say.
    request.framing = 'kernel'
    own.push(['Transfer-Encoding', 'chunked'])
  }
  if (isMultiplexed && (isChunked || knownIds.has(1))) report('HTTP/1.1 framing in a response over HTTP/2')
  const wantsClose = value('connection')?.toLowerCase() === 'close' || (flags & DISCONNECT) !== 0
  if (wantsClose || clientCloses(request) || (request.framing === 'close' && !isOpaque)) {
    request.closesAfterwards = true
    if (value('connection') === undefined && !isOpaque) own.push(['Connection', 'close'])
  }
  if (value('server') === undefined) own.push(['Server', 'Microsoft-HTTPAPI/2.0'])
  if (value('date') === undefined) own.push(['Date', new Date().toUTCString()])
  const lines = [...fields, ...own].map(([name, text]) => `${name}: ${text}`)
  return [`HTTP/1.1 ${status} ${reason}`, ...lines, '', ''].join('\r\n')
}

/** Counts the body against what the head has announced. */
export function countBody(
  request: ServerRequest,
  body: Buffer,
  isLast: boolean,
  report: (violation: string) => void,
): void {
  if (request.isHead && body.length > 0) report('an entity body in a response to HEAD')
  if (typeof request.framing !== 'number') return
  if (body.length > request.framing) report(`${body.length - request.framing} bytes more than Content-Length`)
  request.framing -= body.length
  if (isLast && request.framing > 0) report(`${request.framing} bytes less than Content-Length`)
}

function clientCloses(request: ServerRequest): boolean {
  const connection = request.head.fields
    .filter(([name]) => name.toLowerCase() === 'connection')
    .map(([, value]) => value.toLowerCase())
    .join(',')
  return request.head.minorVersion === 0 ? !connection.includes('keep-alive') : /\bclose\b/.test(connection)
}
