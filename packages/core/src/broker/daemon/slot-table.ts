import { MAX_SLOTS, SLOT_MASK } from '../protocol/limits.ts'

/** Values under 32-bit ids: a slot that is used again, and a generation that makes ids of earlier uses miss. */
export class SlotTable<T> {
  readonly #values: (T | undefined)[] = []
  /** The id under which each slot was last given out. */
  readonly #ids: number[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#values.length - this.#free.length
  }

  /** Stores a value and returns its id, or -1 when every slot is taken. */
  add(value: T): number {
    const slot = this.#free.pop()
    if (slot !== undefined) {
      const id = (this.#ids[slot]! + MAX_SLOTS) >>> 0
      this.#ids[slot] = id
      this.#values[slot] = value
      return id
    }
    const fresh = this.#values.length
    if (fresh === MAX_SLOTS) return -1
    this.#values.push(value)
    this.#ids.push(fresh)
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
    this.#free.push(slot)
  }

  /** The values at the time of the call. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined)
  }
}
