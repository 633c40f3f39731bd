const FIRST_CAPACITY = 512

/** Bytes of a connection that have arrived and can't be used yet; grows by doubling, so that tiny reads stay cheap. */
export class PendingBytes {
  bytes: Buffer = Buffer.allocUnsafe(FIRST_CAPACITY)
  length = 0

  append(source: Buffer, start: number, end: number): void {
    const needed = this.length + end - start
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2))
      this.bytes.copy(larger, 0, 0, this.length)
      this.bytes = larger
    }
    source.copy(this.bytes, this.length, start, end)
    this.length = needed
  }
}
