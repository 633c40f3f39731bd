import { inspect } from 'node:util'
import { isCacheableResponse, sharedMaxAge } from '../base/cacheability.ts'
import { HttpSysError } from '../base/errors.ts'
import { MAX_SECONDS_TO_LIVE, UNTIL_INVALIDATED } from '../queue/exchange.ts'

/**
 * How long the response cache in front of the app may answer with a response: `ttl` seconds, or until
 * `httpsys.flushResponseCache` is called or the prefix changes hands.
 *
 * @see docs/response-cache.md for the conditions that request and response must meet
 */
export type CachePolicy =
  | { readonly ttl: number; readonly untilInvalidated?: false | undefined }
  | { readonly untilInvalidated: true; readonly ttl?: undefined }

declare module 'http' {
  interface ServerResponse<Request extends IncomingMessage = IncomingMessage> {
    /**
     * Lets the response cache answer later requests for the same URL; set before `end`, which must be the only call that sends
     * something. Without effect on servers that listen on a TCP port.
     *
     * @throws HttpSysError `EINVAL`, from `end`, when it is no cache policy
     */
    cachePolicy?: CachePolicy | undefined
  }
}

/**
 * The seconds that a policy of an app means; 0 for no caching.
 *
 * @throws HttpSysError `EINVAL`
 */
export function readCachePolicy(policy: unknown): number {
  if (policy === undefined || policy === null) return 0
  if (typeof policy === 'object') {
    const { ttl, untilInvalidated = false } = policy as { ttl?: unknown; untilInvalidated?: unknown }
    if (untilInvalidated === true && ttl === undefined) return UNTIL_INVALIDATED
    const isTime = typeof ttl === 'number' && Number.isInteger(ttl) && ttl >= 0 && ttl <= MAX_SECONDS_TO_LIVE
    if (untilInvalidated === false && isTime) return ttl
  }
  throw new HttpSysError({
    code: 'EINVAL',
    syscall: 'respond',
    subject: inspect(policy, { depth: 1, breakLength: Infinity }).slice(0, 100),
    reason: 'it is no cache policy',
    remedy: `Write res.cachePolicy = { ttl: N }, N whole seconds from 0 to ${MAX_SECONDS_TO_LIVE}, or { untilInvalidated: true }.`,
  })
}

/**
 * How long a response may be kept that is about to be sent whole; 0 for not at all.
 *
 * @param policySeconds - what the app's policy says, -1 when it has set none
 * @param honoursCacheControl - without a policy, what Cache-Control says counts
 */
export function secondsToLive(
  status: number,
  fields: string,
  policySeconds: number,
  honoursCacheControl: boolean,
): number {
  let seconds = policySeconds
  if (seconds === -1) seconds = honoursCacheControl ? sharedMaxAge(fields) : 0
  return seconds > 0 && isCacheableResponse(status, fields) ? seconds : 0
}
