import { DISCONNECT_RESET, FLAG_END, FRAME_BODY, FRAME_TRAILERS } from '../../protocol/frames.ts'
import { WINDOW_BYTES } from '../../protocol/limits.ts'
import type { OwnerPeer } from '../owner-peer.ts'
import type { ExchangeCarrier } from './exchange-carrier.ts'
import type { ExchangeSink } from './exchange-sink.ts'

/**
 * The request's part of an exchange: its place in the owner's table, and the entity body on its way there. {@link ClientExchange}
 * is the response's part.
 */
export abstract class RequestLeg {
  state: 'idle' | 'open' | 'opaque' | 'broken' = 'idle'
  protected readonly carrier: ExchangeCarrier
  /** null while the broker answers by itself, and once owner and client have nothing left to send. */
  protected owner: OwnerPeer | null = null
  protected id = 0
  /** The owner has nothing left to send. */
  protected isOwnerDone = true
  /** The rest of the entity body is read and dropped. */
  protected isDiscarding = false
  /** The client waits for a 100 before it sends the body. */
  protected isAwaitingContinue = false
  /** Bytes that the body may still have. */
  protected bodyBytesLeft = Infinity
  /** Bytes of the body that the owner still takes. */
  protected bodyCredit = 0

  constructor(carrier: ExchangeCarrier) {
    this.carrier = carrier
  }

  /** Everything of the entity body has come, or nothing more will. */
  abstract get isBodyComplete(): boolean
  /** No more of the entity body will come. */
  protected abstract abandonBody(): void
  /** Ends the exchange when nothing is left to wait for. */
  protected abstract endIfDone(): void

  /** Whether the client is to send more of the body now. */
  get isAwaitingBody(): boolean {
    return this.state === 'open' && !this.isBodyComplete && !this.isAwaitingContinue
  }

  /** Whether more of the body can be passed on, or dropped. */
  get takesBody(): boolean {
    return this.isDiscarding || (this.bodyCredit > 0 && this.owner?.isFull !== true)
  }

  /** @param maxBodySize - bytes of the entity body, 0 for no limit */
  protected openRequest(expectsContinue: boolean, maxBodySize: number): void {
    this.state = 'open'
    this.bodyBytesLeft = maxBodySize === 0 ? Infinity : maxBodySize
    this.isAwaitingContinue = expectsContinue && !this.isBodyComplete
    this.isOwnerDone = true
    this.isDiscarding = false
    this.bodyCredit = WINDOW_BYTES
  }

  /** Takes an id in the owner's table; returns false when there is none left. */
  protected join(this: this & ExchangeSink, peer: OwnerPeer): boolean {
    const id = peer.exchanges.add(this)
    if (id === -1) return false
    this.owner = peer
    this.id = id
    this.isOwnerDone = false
    return true
  }

  /** Passes a piece of the entity body, or raw bytes, to the owner. */
  protected forward(bytes: Buffer, start: number, end: number, isLast: boolean, trailers: string): void {
    const { owner } = this
    if (owner === null || (this.isDiscarding && !isLast)) return
    const isBodyLast = isLast && trailers === ''
    const pieceEnd = this.isDiscarding ? start : end
    if (pieceEnd > start || isBodyLast) {
      owner.bodies.send(isBodyLast ? FLAG_END : 0, this.id, bytes, start, pieceEnd)
    }
    if (trailers !== '') owner.writer.text(FRAME_TRAILERS, FLAG_END, 0, this.id, trailers, 'latin1')
    this.bodyCredit -= pieceEnd - start
    // Whatever the owner says that it takes: what waits for it here is bounded.
    if (this.bodyCredit <= 0 || (owner.isFull && !isLast)) this.carrier.pauseReading()
  }

  /** Passes on raw bytes of an opaque connection. */
  takeOpaque(bytes: Buffer, start: number, end: number): void {
    this.forward(bytes, start, end, false, '')
  }

  onBodyCredit(bytes: number): void {
    this.bodyCredit += bytes
    this.onOwnerDrained()
  }

  /** The owner takes more again. */
  onOwnerDrained(): void {
    if (this.takesBody) this.carrier.resumeReading()
  }

  onDiscardBody(): void {
    this.isDiscarding = true
    this.carrier.resumeReading()
  }

  /** The client is gone, or has ended its side before its request was answered. */
  onClientGone(kind: number): void {
    if (this.state === 'idle' || this.state === 'broken') return
    const wasOpaque = this.state === 'opaque'
    this.abandonBody()
    if (kind === DISCONNECT_RESET) this.state = 'broken'
    const { owner } = this
    if (owner === null) return
    if (wasOpaque && kind !== DISCONNECT_RESET) owner.writer.signal(FRAME_BODY, FLAG_END, 0, this.id)
    else owner.disconnectExchange(this.id, kind)
    this.releaseIfDone()
    if (kind !== DISCONNECT_RESET) this.endIfDone()
  }

  protected onOwnerDone(): void {
    this.isOwnerDone = true
    this.releaseIfDone()
  }

  /** Frees the exchange's id once neither side has anything to send. */
  protected releaseIfDone(): void {
    if (this.isOwnerDone && (this.isBodyComplete || this.state === 'broken')) this.release()
  }

  protected release(): void {
    this.owner?.exchanges.delete(this.id)
    this.owner = null
  }
}
