/** Threads that have no more clients than this differ by none; those that have more by half, since it costs something to give one away. */
const FEW = 8

/**
 * How many clients each of the broker's threads has, those on their way to it included: memory that the threads share.
 *
 * reserved (in the total) ──entered (of a thread)──▶ gone
 *                         ──given back──▶ gone
 */
export class ClientCounts {
  /** By thread, of which the broker's first is 0; the total comes last. */
  readonly cells: Int32Array
  readonly #threads: number

  constructor(cells: Int32Array) {
    this.cells = cells
    this.#threads = cells.length - 1
  }

  static of(threads: number): ClientCounts {
    return new ClientCounts(new Int32Array(new SharedArrayBuffer((threads + 1) * Int32Array.BYTES_PER_ELEMENT)))
  }

  of(thread: number): number {
    return Atomics.load(this.cells, thread)
  }

  get all(): number[] {
    return Array.from({ length: this.#threads }, (_, thread) => this.of(thread))
  }

  get total(): number {
    return Atomics.load(this.cells, this.#threads)
  }

  /** Counts one more; returns how many there were before, whatever other threads do. */
  reserve(): number {
    return Atomics.add(this.cells, this.#threads, 1)
  }

  /** What was reserved was one too many. */
  giveBack(): void {
    Atomics.sub(this.cells, this.#threads, 1)
  }

  /** It is a client of this thread. */
  enter(thread: number): void {
    Atomics.add(this.cells, thread, 1)
  }

  leave(thread: number): void {
    Atomics.sub(this.cells, thread, 1)
    Atomics.sub(this.cells, this.#threads, 1)
  }

  /** Which thread is to have a client that this one has accepted: itself, unless another one has clearly fewer. */
  placeFor(thread: number): number {
    let idlest = thread
    let fewest = this.of(thread)
    const own = fewest
    // Each is read once: the others count meanwhile.
    for (let other = 0; other < this.#threads; other++) {
      const count = this.of(other)
      if (count >= fewest) continue
      idlest = other
      fewest = count
    }
    const slack = fewest < FEW ? 0 : fewest >> 1
    return own > fewest + slack ? idlest : thread
  }
}
