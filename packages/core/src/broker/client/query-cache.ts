import { decodeRefused } from '../protocol/claims.ts'
import { CACHE_DELETE, FRAME_CACHE, FRAME_REFUSED } from '../protocol/frames.ts'
import type { CacheState } from '../protocol/status.ts'
import { askBroker } from './ask-broker.ts'

/**
 * Asks the broker of this user what its response cache holds, and has it forget that; undefined when none runs.
 *
 * @param url - only what is stored for it; all queries are meant, and with a slash at its end also what is below. Empty for everything
 * @throws HttpSysError `EACCES` for other users than the broker's own and root, `EINVAL` for what is no URL, `EPROTO` when the
 * broker is of another version, `ETIMEDOUT` when it says nothing
 */
export async function queryCache(url: string, isDeleted: boolean): Promise<CacheState | undefined> {
  const answer = await askBroker({ type: FRAME_CACHE, flags: isDeleted ? CACHE_DELETE : 0, payload: url })
  if (answer === undefined) return undefined
  if (answer.type === FRAME_REFUSED) throw decodeRefused(answer.payload)
  return JSON.parse(answer.payload) as CacheState
}
