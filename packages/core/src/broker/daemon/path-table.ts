import { randomInt } from 'node:crypto'

/** Integers per slot. */
const STRIDE = 4
// What a slot says; a length of 0 marks one that was never used.
const PARENT = 0
const TEXT = 1
const LENGTH = 2
const CHILDREN = 3

const MISSING = -1
const SLASH = 0x2f
const FNV_PRIME = 0x0100_0193
const FIRST_CAPACITY = 16
const FIRST_TEXTS = 256

/**
 * Values by path, segment by segment: a look-up costs as many steps as the match is deep, however many paths there are.
 *
 * The steps of all paths are in one table with open addressing, their characters in one array. So a step touches two or three
 * cache lines, where maps within maps touch seven; among thousands of paths these lines are what a look-up costs.
 */
export class PathTable<T extends object> {
  /** The paths come from other programs, which can't know then what collides. */
  readonly #seed = randomInt(2 ** 32) | 0
  #capacity = FIRST_CAPACITY
  // The root's slot comes after those that are found by hash.
  #slots = new Int32Array((FIRST_CAPACITY + 1) * STRIDE)
  #values = emptyValues<T>(FIRST_CAPACITY)
  #texts = new Uint16Array(FIRST_TEXTS)
  #textsEnd = 0
  /** Slots that have a text; some may lead nowhere any more, until the table is made anew. */
  #used = 0

  get isEmpty(): boolean {
    return !this.#isLive(this.#capacity)
  }

  /** Stores a value under `/a/b/`, in any case; returns the value that was there before and stays, if any. */
  add(prefixPath: string, value: T): T | undefined {
    const path = prefixPath.toLowerCase()
    this.#reserve(path)
    const slot = this.#walk(path, true)
    const present = this.#values[slot]
    if (present === undefined) this.#put(slot, value)
    return present
  }

  /** Takes a path out; returns whether it was there. */
  remove(prefixPath: string): boolean {
    const slot = this.#walk(prefixPath.toLowerCase(), false)
    if (slot === MISSING || this.#values[slot] === undefined) return false
    this.#values[slot] = undefined
    // A slot that leads nowhere any more is no child of the one above it, and so on up.
    for (let at = slot; at !== this.#capacity && !this.#isLive(at);) {
      at = this.#slots[at * STRIDE + PARENT]!
      this.#slots[at * STRIDE + CHILDREN]!--
    }
    return true
  }

  /**
   * The value of the longest stored path that a path begins with, segment by segment.
   *
   * @param path - as it is compared: decoded, in lower case, its first character the first slash
   */
  find(path: string): T | undefined {
    const slots = this.#slots
    const { length } = path
    let slot = this.#capacity
    let best = this.#values[slot]
    let start = 1
    let hash = this.#seed
    for (let end = 1; end <= length; end++) {
      const code = end === length ? SLASH : path.charCodeAt(end)
      if (code === SLASH) {
        if (slots[slot * STRIDE + CHILDREN] === 0) break
        slot = this.#probe(path, start, end, hash, slot)
        if (slot < 0) break
        best = this.#values[slot] ?? best
        start = end + 1
      }
      hash = Math.imul(hash ^ code, FNV_PRIME)
    }
    return best
  }

  #isLive(slot: number): boolean {
    return this.#values[slot] !== undefined || this.#slots[slot * STRIDE + CHILDREN]! > 0
  }

  #put(slot: number, value: T): void {
    let isNew = !this.#isLive(slot)
    this.#values[slot] = value
    for (let at = slot; isNew && at !== this.#capacity;) {
      at = this.#slots[at * STRIDE + PARENT]!
      isNew = !this.#isLive(at)
      this.#slots[at * STRIDE + CHILDREN]!++
    }
  }

  /** The slot of a path. What is missing on the way there is made, if asked for; there must be room for it. */
  #walk(path: string, makesMissing: boolean): number {
    let slot = this.#capacity
    let hash = this.#seed
    for (let start = 1; start < path.length;) {
      const end = path.indexOf('/', start)
      hash = hashOn(hash, path, start, end)
      const found = this.#probe(path, start, end, hash, slot)
      if (found < 0 && !makesMissing) return MISSING
      slot = found < 0 ? this.#fill(~found, slot, path, start, end) : found
      hash = Math.imul(hash ^ SLASH, FNV_PRIME)
      start = end + 1
    }
    return slot
  }

  #fill(slot: number, parent: number, path: string, start: number, end: number): number {
    const base = slot * STRIDE
    this.#slots[base + PARENT] = parent
    this.#slots[base + TEXT] = this.#textsEnd
    this.#slots[base + LENGTH] = end - start
    for (let at = start; at < end; at++) this.#texts[this.#textsEnd++] = path.charCodeAt(at)
    this.#used++
    return slot
  }

  /** The slot of a segment below another slot, or the complement of the free slot where it would be. */
  #probe(path: string, start: number, end: number, hash: number, parent: number): number {
    const slots = this.#slots
    const mask = this.#capacity - 1
    const wanted = end - start
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const base = slot * STRIDE
      const length = slots[base + LENGTH]
      if (length === 0) return ~slot
      if (length === wanted && slots[base + PARENT] === parent && this.#isText(slots[base + TEXT]!, path, start, end)) {
        return slot
      }
    }
  }

  #isText(text: number, path: string, start: number, end: number): boolean {
    const texts = this.#texts
    for (let at = start; at < end; at++) if (texts[text++] !== path.charCodeAt(at)) return false
    return true
  }

  /** Makes room for the slots and the characters of one more path. */
  #reserve(path: string): void {
    const segments = path.split('/').length - 2
    if (this.#used + segments > maxUsed(this.#capacity)) this.#rebuild(segments)
    const needed = this.#textsEnd + path.length
    if (needed <= this.#texts.length) return
    const texts = new Uint16Array(Math.max(needed, this.#texts.length * 2))
    texts.set(this.#texts)
    this.#texts = texts
  }

  /** Leaves out what leads nowhere; the rest fills no more than half of what it may. */
  #rebuild(extra: number): void {
    let live = extra
    const entries: [path: string, value: T][] = []
    for (let slot = 0; slot <= this.#capacity; slot++) {
      if (this.#isLive(slot)) live++
      const value = this.#values[slot]
      if (value !== undefined) entries.push([this.#pathOf(slot), value])
    }
    let capacity = FIRST_CAPACITY
    while (live * 2 > maxUsed(capacity)) capacity *= 2
    this.#capacity = capacity
    this.#slots = new Int32Array((capacity + 1) * STRIDE)
    this.#values = emptyValues<T>(capacity)
    this.#texts = new Uint16Array(Math.max(FIRST_TEXTS, this.#textsEnd))
    this.#textsEnd = 0
    this.#used = 0
    for (const [path, value] of entries) this.#put(this.#walk(path, true), value)
  }

  #pathOf(slot: number): string {
    const segments = ['']
    for (let at = slot; at !== this.#capacity; at = this.#slots[at * STRIDE + PARENT]!) {
      const text = this.#slots[at * STRIDE + TEXT]!
      const codes = this.#texts.subarray(text, text + this.#slots[at * STRIDE + LENGTH]!)
      segments.push(Buffer.from(codes.buffer, codes.byteOffset, codes.byteLength).toString('utf16le'))
    }
    segments.push('')
    return segments.toReversed().join('/')
  }
}

/** Of the path up to `end`, from its hash up to `start`. */
function hashOn(hash: number, path: string, start: number, end: number): number {
  let result = hash
  for (let at = start; at < end; at++) result = Math.imul(result ^ path.charCodeAt(at), FNV_PRIME)
  return result
}

function maxUsed(capacity: number): number {
  return (capacity * 3) / 4
}

function emptyValues<T>(capacity: number): (T | undefined)[] {
  return Array.from({ length: capacity + 1 }, () => undefined)
}
