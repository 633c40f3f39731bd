import { PendingBytes } from '../pending-bytes.ts'

/** Requests up to this size, body included, can be handed to a second owner. */
const MAX_RETAINED_BYTES = 64 * 1024
/** A larger buffer is not kept for the connection's next request. */
const MAX_IDLE_BYTES = 2048

/** The bytes of the request under way, as far as they have been handed over, in case its owner dies before it answers. */
export class RetainedRequest {
  /** All bytes that were handed over are here. */
  isWhole = false
  /** They are, as far as they were kept. */
  bytes: PendingBytes | null = null

  /** Begins with the head and what came with it. */
  begin(bytes: Buffer, start: number, end: number): void {
    this.isWhole = true
    if (this.bytes !== null) this.bytes.length = 0
    this.append(bytes, start, end)
  }

  append(bytes: Buffer, start: number, end: number): void {
    if (!this.isWhole) return
    const kept = (this.bytes ??= new PendingBytes())
    if (kept.length + end - start > MAX_RETAINED_BYTES) return this.#forget()
    kept.append(bytes, start, end)
  }

  /** Takes the bytes out. */
  detach(): PendingBytes {
    const kept = this.bytes ?? new PendingBytes()
    this.#forget()
    return kept
  }

  /** No second owner can take the request any more. */
  clear(): void {
    this.isWhole = false
    if (this.bytes !== null && this.bytes.bytes.length > MAX_IDLE_BYTES) this.bytes = null
  }

  #forget(): void {
    this.isWhole = false
    this.bytes = null
  }
}
