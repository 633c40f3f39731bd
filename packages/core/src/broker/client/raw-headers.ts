const SPACE = 32
const TAB = 9

/**
 * Cuts field lines into names and values in turn, optional white space around values removed.
 *
 * @param text - complete lines, one byte a character, checked by the broker's parser
 * @param start - where the first line begins
 * @param count - how many lines there are
 */
export function parseRawHeaders(text: string, start: number, count: number): string[] {
  const raw: string[] = []
  let position = start
  for (let index = 0; index < count; index++) {
    const colon = text.indexOf(':', position)
    const lineEnd = text.indexOf('\r\n', colon)
    let from = colon + 1
    let to = lineEnd
    while (from < to && isSpace(text.charCodeAt(from))) from++
    while (to > from && isSpace(text.charCodeAt(to - 1))) to--
    raw.push(text.slice(position, colon), text.slice(from, to))
    position = lineEnd + 2
  }
  return raw
}

function isSpace(code: number): boolean {
  return code === SPACE || code === TAB
}
