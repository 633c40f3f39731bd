import type { UrlPrefix } from '../base/url-prefix.ts'
import type { QueueRequest } from './queue-request.ts'

const SLASH = 47
const QUESTION_MARK = 63

/**
 * Takes the prefix off a request's `url` the way Connect mounts do: `baseUrl` + `url` is the path, `originalUrl` stays whole.
 *
 * The broker matches whole segments, so the base is as many segments of the target as the prefix has, in the client's spelling.
 */
export function stripPrefix(request: QueueRequest, prefix: UrlPrefix): void {
  const target = request.url!
  const start = target.charCodeAt(0) === SLASH ? 0 : pathStart(target)
  let end = start
  for (let segments = prefix.segmentCount; segments > 0 && end < target.length; segments--)
    end = segmentEnd(target, end)
  request.originalUrl = target
  request.baseUrl = target.slice(start, end)
  const rest = target.slice(end)
  request.url = rest.charCodeAt(0) === SLASH ? rest : `/${rest}`
}

/** The end of the segment that begins with the slash at `start`. */
function segmentEnd(target: string, start: number): number {
  let position = start + 1
  while (position < target.length) {
    const code = target.charCodeAt(position)
    if (code === SLASH || code === QUESTION_MARK) break
    position++
  }
  return position
}

/** Where the path of an absolute-form target begins; its end when it has none. */
function pathStart(target: string): number {
  const authority = target.indexOf('://')
  if (authority === -1) return target.length
  const slash = target.slice(authority + 3).search(/[/?]/)
  return slash === -1 ? target.length : authority + 3 + slash
}
