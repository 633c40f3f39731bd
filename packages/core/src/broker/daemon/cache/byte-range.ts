/** The bytes `[start, end)` of a representation. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * The one range that a Range field asks for; `unsatisfiable` when all lie behind the end; null when the field is to be ignored: it
 * breaks the grammar, has another unit, or asks for several ranges, which a server need not serve in pieces.
 *
 * @param length - bytes of the whole representation
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 */
export function readRange(value: string, length: number): ByteRange | 'unsatisfiable' | null {
  const match = /^bytes=(.*)$/i.exec(value)
  if (match === null) return null
  const ranges: ByteRange[] = []
  let count = 0
  for (const spec of match[1]!.split(',')) {
    const text = spec.trim()
    // Lists may have empty members.
    if (text === '') continue
    const range = readSpec(text, length)
    if (range === null) return null
    if (range.start < range.end) ranges.push(range)
    count++
  }
  if (count === 0) return null
  if (ranges.length === 0) return 'unsatisfiable'
  return count === 1 ? ranges[0]! : null
}

/** null when it breaks the grammar; an empty range when it lies behind the end. */
function readSpec(text: string, length: number): ByteRange | null {
  const match = /^(\d*)-(\d*)$/.exec(text)
  if (match === null || text === '-') return null
  const [, first = '', last = ''] = match
  if (first === '') return { start: Math.max(0, length - Number(last)), end: length }
  const start = Number(first)
  if (last === '') return { start, end: length }
  if (Number(last) < start) return null
  return { start, end: Math.min(length, Number(last) + 1) }
}
