import type { ClaimMode } from '../../../base/url-prefix.ts'
import { FRAME_CLAIMED } from '../../protocol/frames.ts'
import type { OwnerPeer } from '../owner-peer.ts'
import type { OwnerClaim, RequestQueueEntry } from '../request-queue-entry.ts'

interface ThreadClaim {
  readonly entry: RequestQueueEntry
  readonly mode: ClaimMode
  readonly epoch: number
  /** The payload of CLAIMED. */
  readonly claimed: string
  /** null while its process has not connected to this thread; requests wait. */
  owner: OwnerClaim | null
}

/**
 * A process with its claims, as one of the broker's threads sees it.
 *
 * announced ──connect──▶ connected ──disconnect──▶ gone
 */
export class ThreadOwner {
  readonly key: string
  readonly pid: number
  peer: OwnerPeer | null = null
  readonly #claims = new Map<number, ThreadClaim>()
  /** What it could not be told before it connected. */
  #untold: { readonly claim: number; readonly frame: number }[] = []

  constructor(key: string, pid: number) {
    this.key = key
    this.pid = pid
  }

  connect(peer: OwnerPeer): void {
    this.peer = peer
    for (const { claim, frame } of this.#untold.splice(0)) this.tell(claim, frame)
    for (const [id, claim] of this.#claims) this.#join(id, claim)
  }

  /** Its claims take no more requests here. */
  disconnect(): void {
    this.peer = null
    for (const claim of this.#claims.values()) {
      if (claim.owner !== null) claim.entry.remove(claim.owner)
      claim.owner = null
    }
    this.#claims.clear()
  }

  /** @param claimed - the payload of CLAIMED */
  claim(id: number, entry: RequestQueueEntry, mode: ClaimMode, epoch: number, claimed: string): void {
    const claim: ThreadClaim = { entry, mode, epoch, claimed, owner: null }
    this.#claims.set(id, claim)
    this.#join(id, claim)
  }

  /** @param frame - the type of frame by which the process is told; 0: it is not */
  endClaim(id: number, frame: number): void {
    const claim = this.#claims.get(id)
    this.#claims.delete(id)
    if (claim !== undefined && claim.owner !== null) claim.entry.remove(claim.owner)
    if (frame !== 0) this.tell(id, frame)
  }

  entryOf(id: number): RequestQueueEntry | undefined {
    return this.#claims.get(id)?.entry
  }

  /** Tells the process by a frame without a payload, now or when it connects. */
  tell(claim: number, frame: number): void {
    if (this.peer === null) this.#untold.push({ claim, frame })
    else this.peer.writer.signal(frame, 0, 0, claim)
  }

  /** It can take requests again. */
  wake(): void {
    for (const { entry } of this.#claims.values()) entry.wake()
  }

  #join(id: number, claim: ThreadClaim): void {
    const { peer } = this
    if (peer === null) return
    const { entry, mode, epoch, claimed } = claim
    peer.writer.text(FRAME_CLAIMED, 0, 0, id, claimed, 'utf8')
    claim.owner = { peer, id, entry, mode, epoch }
    entry.join(claim.owner)
    entry.wake()
  }
}
