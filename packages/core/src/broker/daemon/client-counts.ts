/** Threads that have no more clients than this differ by none; those that have more by half, since it costs something to give one away. */
const FEW = 8

/** How many clients each of the broker's threads has, those on their way to it included: memory that the threads share. */
export class ClientCounts {
  /** By thread; the broker's first is 0. */
  readonly cells: Int32Array

  constructor(cells: Int32Array) {
    this.cells = cells
  }

  static of(threads: number): ClientCounts {
    return new ClientCounts(new Int32Array(new SharedArrayBuffer(threads * Int32Array.BYTES_PER_ELEMENT)))
  }

  of(thread: number): number {
    return Atomics.load(this.cells, thread)
  }

  get all(): number[] {
    return Array.from(this.cells, (_, thread) => this.of(thread))
  }

  get total(): number {
    let sum = 0
    for (let thread = 0; thread < this.cells.length; thread++) sum += this.of(thread)
    return sum
  }

  enter(thread: number): void {
    Atomics.add(this.cells, thread, 1)
  }

  leave(thread: number): void {
    Atomics.sub(this.cells, thread, 1)
  }

  /** Which thread is to have a client that this one has accepted: itself, unless another one has clearly fewer. */
  placeFor(thread: number): number {
    let idlest = thread
    let fewest = this.of(thread)
    const own = fewest
    // Each is read once: the others count meanwhile.
    for (let other = 0; other < this.cells.length; other++) {
      const count = this.of(other)
      if (count >= fewest) continue
      idlest = other
      fewest = count
    }
    const slack = fewest < FEW ? 0 : fewest >> 1
    return own > fewest + slack ? idlest : thread
  }
}
