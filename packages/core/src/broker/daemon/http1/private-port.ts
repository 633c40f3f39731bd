import { MemberList } from '../../../base/member-list.ts'
import type { Member } from '../../../base/member-list.ts'
import type { PrivatePortLimits } from '../../protocol/claims.ts'
import { ACCEPTED_BYTES, CLIENT_ERROR_FIXED_BYTES, FRAME_ACCEPTED, FRAME_CLIENT_ERROR } from '../../protocol/frames.ts'
import { hasPassed } from '../exchange/timers.ts'
import type { OwnerClaim } from '../request-queue-entry.ts'

/** Bytes of a refused request that its owner is shown. */
const MAX_PACKET_BYTES = 16 * 1024

/** A client's connection that came to a private port. */
export interface PrivateConnection {
  /** Closes now when idle, else after the response under way. */
  shutdown(): void
}

/** A connection's place among those of its port. */
export interface PrivateMember extends Member {
  readonly connection: PrivateConnection
}

/**
 * A port that one claim has to itself, as a server of node:http has: its owner hears of more than requests. As there, the connections
 * stay the owner's when it does not listen any more, also when another claim has the port by then.
 *
 * open ──released──▶ draining ──last connection gone──▶ drained
 *   └──owner gone──▶ abandoned ◀──owner gone──┘
 */
export class PrivatePort {
  readonly claim: OwnerClaim
  #limits: PrivatePortLimits
  readonly #members = new MemberList<PrivateMember>()
  #onDrained: (() => void) | null = null

  constructor(claim: OwnerClaim, limits: PrivatePortLimits) {
    this.claim = claim
    this.#limits = limits
  }

  get limits(): PrivatePortLimits {
    return this.#limits
  }

  /** Returns what the connection is to {@link PrivatePort.leave} with. */
  join(connection: PrivateConnection): PrivateMember {
    const member = { connection, place: -1 }
    this.#members.add(member)
    return member
  }

  leave(member: PrivateMember): void {
    if (this.#members.delete(member)) this.#endIfDrained()
  }

  /**
   * Its owner does not listen any more; what its clients ask over their connections is still for it.
   *
   * @param onDrained - called when the last connection has gone, before this returns if there is none
   */
  drain(onDrained: () => void): void {
    // node:http does not look at these two any more when the server is closed.
    this.#limits = { ...this.#limits, headersTimeout: 0, requestTimeout: 0 }
    this.#onDrained = onDrained
    this.#endIfDrained()
  }

  /** Its owner has gone. */
  abandon(): void {
    this.#onDrained = null
    for (const { connection } of this.#members) connection.shutdown()
  }

  #endIfDrained(): void {
    const onDrained = this.#onDrained
    if (onDrained === null || this.#members.size > 0) return
    this.#onDrained = null
    onDrained()
  }
}

/** Tells the owner that a client has connected. */
export function announceAccepted({ claim }: PrivatePort, connectionId: number): void {
  const { writer } = claim.peer
  const offset = writer.reserve(ACCEPTED_BYTES, FRAME_ACCEPTED, 0, 0, connectionId)
  writer.view.setUint32(offset + 12, claim.id, true)
}

/**
 * Whether a private port's own limits have passed; node:http counts from the first moment of the connection or request.
 *
 * @param since - that moment, seconds
 */
export function isTooSlow(
  limits: PrivatePortLimits,
  since: number,
  isHeadAwaited: boolean,
  isBodyAwaited: boolean,
): boolean {
  if (isHeadAwaited) return hasPassed(limits.headersTimeout, since) || hasPassed(limits.requestTimeout, since)
  return isBodyAwaited && hasPassed(limits.requestTimeout, since)
}

/** Tells the owner what is wrong with a request, so that it can answer. */
export function writeClientError(
  { claim }: PrivatePort,
  exchangeId: number,
  connectionId: number,
  code: string,
  bytes: Buffer,
  start: number,
  end: number,
): void {
  const { writer } = claim.peer
  const packetEnd = Math.min(end, start + MAX_PACKET_BYTES)
  const length = CLIENT_ERROR_FIXED_BYTES + code.length + packetEnd - start
  const offset = writer.reserve(length, FRAME_CLIENT_ERROR, 0, 0, exchangeId)
  const { view } = writer
  view.setUint32(offset + 12, connectionId, true)
  view.setUint32(offset + 16, claim.id, true)
  view.setUint16(offset + 20, code.length, true)
  view.setUint16(offset + 22, 0, true)
  writer.bytes.write(code, offset + CLIENT_ERROR_FIXED_BYTES, 'latin1')
  bytes.copy(writer.bytes, offset + CLIENT_ERROR_FIXED_BYTES + code.length, start, packetEnd)
}
