import { isUtf8 } from 'node:buffer'

/** What apps, frameworks and file systems read in different ways: dot segments, empty segments, backslashes, escapes of these. */
const AMBIGUOUS = /\\|%(?:2[ef]|5c)|\/(?:\/|\.{1,2}(?:\/|$))/i
/** The same, and all that is not compared as it stands. */
const UNUSUAL = /[%A-Z\\\u0080-\uffff]|\/(?:\/|\.{1,2}(?:\/|$))/
/** In the form that prefixes are compared in there is nothing to do. */
const NOT_FOLDED = /[%A-Z\u0080-\uffff]/

/** Segments are compared as they stand. */
export const PATH_PLAIN = 0
/** Segments have escapes, capitals or characters outside ASCII: {@link foldPath} makes them comparable. */
export const PATH_FOLDED = 1
/** There is more than one way to take the path apart: {@link PathReadings}. */
export const PATH_AMBIGUOUS = 2

/** How a path is to be compared. */
export type PathShape = typeof PATH_PLAIN | typeof PATH_FOLDED | typeof PATH_AMBIGUOUS

/** Looks a raw path over once, so that the usual one is compared without further ado. */
export function shapeOf(path: string): PathShape {
  if (!UNUSUAL.test(path)) return PATH_PLAIN
  return AMBIGUOUS.test(path) ? PATH_AMBIGUOUS : PATH_FOLDED
}

/**
 * The form in which a raw segment is compared with those of prefixes: percent-decoded as UTF-8, in lower case.
 *
 * A segment that is not UTF-8 stays as it is, and so does an escape that is none: prefixes have no percent signs, so that it
 * matches nothing.
 */
export function foldSegment(segment: string): string {
  return NOT_FOLDED.test(segment) ? decode(segment).toLowerCase() : segment
}

/** The form in which a raw path is compared with those of prefixes. */
export function foldPath(path: string): string {
  return path.split('/').map(foldSegment).join('/')
}

function decode(segment: string): string {
  const raw = segment.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  const bytes = Buffer.from(raw, 'latin1')
  return isUtf8(bytes) ? bytes.toString('utf8') : segment
}

// What a reading does differently from the literal one; a reading is a set of these bits.
const DOTS = 1
const ESCAPED_DOTS = 2
const BACKSLASHES = 4
const ESCAPED_SLASHES = 8
const EMPTY_SEGMENTS = 16

/** The segment of no prefix: stands for those that match nothing. */
const UNMATCHABLE = ''

/**
 * The ways in which an ambiguous path can be taken apart.
 *
 * Each trick in the path may or may not be one for the app that gets it: WHATWG's URL resolves dot segments, also escaped ones,
 * and takes a backslash for a slash; path.normalize drops empty segments; whoever decodes first turns `%2F` into a separator;
 * Express does none of these. Every combination of the tricks that the path has is a reading, at most 32.
 */
export class PathReadings {
  /** Every second one is a separator as it stands in the path. */
  readonly #pieces: string[]
  /** Of each piece at an even index: the segment to compare. */
  readonly #segments: string[]
  /** The bits that make a difference for this path. */
  readonly tricks: number
  constructor(path: string) {
    const pieces = path.split(/(\/|\\|%2f|%5c)/i)
    const segments: string[] = []
    let tricks = 0
    for (let index = 0; index < pieces.length; index++) {
      const piece = pieces[index]!
      if (index % 2 === 1) {
        tricks |= separatorBit(piece)
        segments.push('')
        continue
      }
      const segment = foldSegment(piece)
      if (segment === '.' || segment === '..') tricks |= piece === segment ? DOTS : ESCAPED_DOTS
      if (piece === '' && index > 0 && index < pieces.length - 1) tricks |= EMPTY_SEGMENTS
      segments.push(segment)
    }
    this.#pieces = pieces
    this.#segments = segments
    this.tricks = tricks
  }

  /** The path to compare in the reading that falls for these tricks. */
  read(tricks: number): string {
    const pieces = this.#pieces
    const reading: string[] = []
    // What stands before the first slash is empty.
    for (let index = 2; index < pieces.length; index += 2) {
      let isGlued = false
      while (index + 1 < pieces.length && (separatorBit(pieces[index + 1]!) & ~tricks) !== 0) {
        index += 2
        isGlued = true
      }
      const segment = this.#segments[index]!
      if (isGlued) reading.push(UNMATCHABLE)
      else if (segment === '' && (tricks & EMPTY_SEGMENTS) !== 0) continue
      else if ((segment === '.' || segment === '..') && (tricks & dotsBit(pieces[index]!)) !== 0) {
        if (segment === '..') reading.pop()
      } else reading.push(segment)
    }
    return `/${reading.join('/')}`
  }
}

/** What makes a separator of it: nothing for the slash itself. */
function separatorBit(separator: string): number {
  if (separator === '/') return 0
  return separator === '\\' || separator.charCodeAt(1) === 0x35 ? BACKSLASHES : ESCAPED_SLASHES
}

function dotsBit(piece: string): number {
  return piece.includes('%') ? ESCAPED_DOTS : DOTS
}
