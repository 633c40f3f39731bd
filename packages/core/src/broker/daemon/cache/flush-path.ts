import { foldPath } from '../path-readings.ts'

/**
 * What a flush is about: a path as in a prefix, in any case and with or without percent-encoding. All queries of the path are meant;
 * with a slash at its end also everything below it.
 */
export class FlushPath {
  readonly isRecursive: boolean
  /** In the form in which paths are compared, without a slash at its end: apps take `/a` and `/a/` for the same thing. */
  readonly path: string

  constructor(text: string) {
    const query = text.indexOf('?')
    // Paths of requests come as one character for each byte.
    const raw = Buffer.from(query === -1 ? text : text.slice(0, query), 'utf8').toString('latin1')
    this.isRecursive = raw.endsWith('/')
    this.path = withoutSlash(foldPath(raw))
  }

  /** @param path - of {@link comparablePath} */
  matches(path: string): boolean {
    return path === this.path || (this.isRecursive && path.startsWith(`${this.path}/`))
  }
}

/** The form in which the path of a request is compared with that of a flush. */
export function comparablePath(rawPath: string): string {
  return withoutSlash(foldPath(rawPath))
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}
