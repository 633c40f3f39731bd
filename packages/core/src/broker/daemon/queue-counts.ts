const CONNECTIONS = 0
const WAITING = 1

/** What a queue has to do at the moment, in all threads of the broker together. */
export class QueueCounts {
  readonly cells: Int32Array

  constructor(cells: Int32Array = new Int32Array(2)) {
    this.cells = cells
  }

  /** Counts that threads can share. */
  static shared(): QueueCounts {
    return new QueueCounts(new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)))
  }

  /** Client connections whose last request came here. */
  get connections(): number {
    return Atomics.load(this.cells, CONNECTIONS)
  }

  addConnection(): void {
    Atomics.add(this.cells, CONNECTIONS, 1)
  }

  removeConnection(): void {
    Atomics.sub(this.cells, CONNECTIONS, 1)
  }

  /** Requests that wait. */
  get waiting(): number {
    return Atomics.load(this.cells, WAITING)
  }

  /** Counts one more request that waits; returns false, and does not, when there are `limit` already. */
  tryAddWaiting(limit: number): boolean {
    if (Atomics.add(this.cells, WAITING, 1) < limit) return true
    Atomics.sub(this.cells, WAITING, 1)
    return false
  }

  removeWaiting(): void {
    Atomics.sub(this.cells, WAITING, 1)
  }
}
