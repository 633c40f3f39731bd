import { fileURLToPath } from 'node:url'
import { FRAME_REFUSED, FRAME_UPGRADE, FRAME_UPGRADED } from '../protocol/frames.ts'
import { decodeRefused } from '../protocol/claims.ts'
import { askBroker } from './ask-broker.ts'

/**
 * Replaces the running broker by a new one of this version and this Node, which gets its listening sockets.
 *
 * @returns the new broker's process; undefined when none runs
 * @throws HttpSysError `ETIMEDOUT` when the new one does not come up: the old one goes on
 */
export async function upgradeBroker(): Promise<number | undefined> {
  const main = fileURLToPath(new URL('../daemon/main.js', import.meta.url))
  const question = { type: FRAME_UPGRADE, payload: JSON.stringify({ execPath: process.execPath, main }) }
  const answer = await askBroker(question)
  if (answer === undefined) return undefined
  if (answer.type === FRAME_REFUSED) throw decodeRefused(answer.payload)
  return answer.type === FRAME_UPGRADED ? Number(answer.payload) : undefined
}
