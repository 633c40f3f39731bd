import { MAX_ID, MAX_SLOTS, SLOT_MASK } from '../protocol/limits.ts'

/**
 * So many freed slots rest before the first of them is used again. A slot has 2048 generations, so an id comes back after a
 * million uses at the earliest: an owner that has fallen behind can't have as many requests waiting, and so never takes a new
 * request for an old one.
 */
export const RESTING_SLOTS = 512

/** Values under 31-bit ids, which V8 keeps without a box: a slot that is used again, and a generation that makes ids of earlier uses miss. */
export class SlotTable<T> {
  readonly #values: (T | undefined)[] = []
  /** The id under which each slot was last given out. */
  readonly #ids: number[] = []
  /** Of each freed slot, the one that was freed after it. */
  readonly #next: number[] = []
  #firstFree = -1
  #lastFree = -1
  #freeCount = 0

  get size(): number {
    return this.#values.length - this.#freeCount
  }

  /** Stores a value and returns its id, or -1 when every slot is taken. */
  add(value: T): number {
    const fresh = this.#values.length
    if (this.#freeCount > RESTING_SLOTS || (fresh === MAX_SLOTS && this.#freeCount > 0)) {
      const slot = this.#firstFree
      this.#firstFree = this.#next[slot]!
      this.#freeCount--
      const id = (this.#ids[slot]! + MAX_SLOTS) & MAX_ID
      this.#ids[slot] = id
      this.#values[slot] = value
      return id
    }
    if (fresh === MAX_SLOTS) return -1
    this.#values.push(value)
    this.#ids.push(fresh)
    this.#next.push(-1)
    return fresh
  }

  get(id: number): T | undefined {
    const slot = id & SLOT_MASK
    return this.#ids[slot] === id ? this.#values[slot] : undefined
  }

  /** Frees an id; later look-ups of it find nothing. */
  delete(id: number): void {
    const slot = id & SLOT_MASK
    if (this.#ids[slot] !== id || this.#values[slot] === undefined) return
    this.#values[slot] = undefined
    if (this.#freeCount === 0) this.#firstFree = slot
    else this.#next[this.#lastFree] = slot
    this.#lastFree = slot
    this.#freeCount++
  }

  /** The values at the time of the call. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined)
  }
}
