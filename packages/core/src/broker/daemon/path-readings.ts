/** Characters and sequences that apps, frameworks and file systems read in different ways. */
// oxlint-disable-next-line no-control-regex -- bytes above ASCII are what is looked for
const UNUSUAL = /[%\\\u0080-\u00ff]|\/\.{0,2}(?=\/|$)(?!$)|\/\.{1,2}$/

/** Whether a raw path can be read in only one way, so that plain text comparison will do. */
export function isPlainPath(path: string): boolean {
  return !UNUSUAL.test(path)
}

/** The segments of a raw path as they stand, each percent-decoded; an encoded slash stays within its segment. */
export function literalReading(path: string): string[] {
  return path.split('/').slice(1).map(decode)
}

/**
 * The segments that a lenient app might take the path for: encoded slashes, and backslashes, separate; empty segments count
 * for nothing; dot segments are resolved.
 */
export function lenientReading(path: string): string[] {
  const segments: string[] = []
  for (const segment of decode(path.replace(/%2f|%5c|\\/gi, '/')).replaceAll('\\', '/').split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment === '..') segments.pop()
    else segments.push(segment)
  }
  return segments
}

/** Percent-decodes as UTF-8; what is not valid stays as it is. */
function decode(text: string): string {
  const bytes = Buffer.from(text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))), 'latin1')
  const decoded = bytes.toString('utf8')
  return decoded.includes('\ufffd') ? text : decoded
}
