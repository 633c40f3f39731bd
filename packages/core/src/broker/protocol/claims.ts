import { HttpSysError, isHttpSysErrorCode } from '../../base/errors.ts'
import { readQueueSettings } from '../../base/queue-settings.ts'
import type { QueueSettings } from '../../base/queue-settings.ts'
import { isBroken } from '../../base/url-prefix-syntax.ts'
import { isClaimMode } from '../../base/url-prefix.ts'
import type { ClaimMode } from '../../base/url-prefix.ts'

/** What a server that has a port to itself wants of its connections; milliseconds, 0 for no limit. */
export interface PrivatePortLimits {
  /** From a connection's or a head's first moment to the end of the head. */
  readonly headersTimeout: number
  /** The same to the end of the entity body. */
  readonly requestTimeout: number
  readonly maxHeaderBytes: number
}

/** What an owner asks for: the payload of CLAIM. */
export interface Claim {
  readonly href: string
  readonly mode: ClaimMode
  readonly settings: QueueSettings
  /** The claim is made again, after the broker that had granted it under this number was lost. */
  readonly epoch?: number | undefined
  /** Names the HAND_OVER connection that the listening sockets came over; undefined when the broker binds them. */
  readonly handOver?: string | undefined
  /** The port is for this claim alone: its owner hears of connections and of clients' errors, and may write raw bytes. */
  readonly privatePort?: PrivatePortLimits | undefined
}

/** Where a claim listens: the payload of CLAIMED. */
export interface Claimed {
  /** Grows with every claim of a prefix, also across brokers: of two that can't both stand the later one counts. */
  readonly epoch: number
  readonly address: string
  readonly family: 'IPv4' | 'IPv6'
  readonly port: number
}

export function encodeClaim(claim: Claim): string {
  return JSON.stringify(claim)
}

/** @throws HttpSysError `EPROTO` when the payload is not a claim. */
export function decodeClaim(payload: string): Claim {
  const value = parse(payload)
  const { href, mode, epoch, handOver, privatePort } = value
  if (typeof href !== 'string' || !isClaimMode(mode)) throw malformed('CLAIM')
  if (epoch !== undefined && !isEpoch(epoch)) throw malformed('CLAIM')
  if (handOver !== undefined && typeof handOver !== 'string') throw malformed('CLAIM')
  const settings = decodeSettings(value['settings'] ?? {})
  return { href, mode, settings, epoch, handOver, privatePort: decodeLimits(privatePort) }
}

function decodeSettings(value: unknown): QueueSettings {
  if (typeof value !== 'object' || value === null) throw malformed('CLAIM')
  const settings = readQueueSettings(value, {})
  if (isBroken(settings)) throw malformed('CLAIM')
  return settings
}

function isEpoch(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

function decodeLimits(value: unknown): PrivatePortLimits | undefined {
  if (value === undefined) return undefined
  const { headersTimeout, requestTimeout, maxHeaderBytes } = (value ?? {}) as Record<string, unknown>
  if (!isLimit(headersTimeout) || !isLimit(requestTimeout) || !isLimit(maxHeaderBytes)) throw malformed('CLAIM')
  return { headersTimeout, requestTimeout, maxHeaderBytes }
}

function isLimit(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function encodeClaimed(claimed: Claimed): string {
  return JSON.stringify(claimed)
}

/** @throws HttpSysError `EPROTO` when the payload is not an address. */
export function decodeClaimed(payload: string): Claimed {
  const { address, family, port, epoch } = parse(payload)
  if (typeof address !== 'string' || !isPort(port) || (family !== 'IPv4' && family !== 'IPv6') || !isEpoch(epoch))
    throw malformed('CLAIMED')
  return { address, family, port, epoch }
}

/** The payload of REFUSED: an error in transport form. */
export function encodeRefused(error: unknown): string {
  if (!(error instanceof HttpSysError)) return JSON.stringify({ reason: String(error) })
  const { code, syscall, subject, reason, remedy } = error
  return JSON.stringify({ code, syscall, subject, reason, remedy })
}

/** The error that a REFUSED frame stands for. */
export function decodeRefused(payload: string): HttpSysError {
  const value = parse(payload)
  const text = (key: string, otherwise: string): string => {
    const found = value[key]
    return typeof found === 'string' ? found : otherwise
  }
  const code = text('code', 'EPROTO')
  return new HttpSysError({
    code: isHttpSysErrorCode(code) ? code : 'EPROTO',
    syscall: text('syscall', 'listen'),
    subject: text('subject', 'httpsys broker'),
    reason: text('reason', 'the broker refused the claim'),
    remedy: text('remedy', 'Look into broker.log in the runtime directory.'),
  })
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535
}

function parse(payload: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(payload)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Falls through: any malformed text is the same error.
  }
  throw malformed('control')
}

function malformed(kind: string): HttpSysError {
  return new HttpSysError({
    code: 'EPROTO',
    syscall: 'read',
    subject: 'broker frame',
    reason: `a ${kind} frame is malformed`,
    remedy: 'Use the same version of httpsys in all processes that share a port.',
  })
}
