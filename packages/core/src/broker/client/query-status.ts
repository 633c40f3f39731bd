import { FRAME_STATUS } from '../protocol/frames.ts'
import type { BrokerStatus } from '../protocol/status.ts'
import { askBroker } from './ask-broker.ts'

/**
 * Asks the broker of this user what is going on; undefined when none runs.
 *
 * @throws HttpSysError `EPROTO` when it is of another version, `ETIMEDOUT` when it says nothing
 */
export async function queryStatus(): Promise<BrokerStatus | undefined> {
  const answer = await askBroker({ type: FRAME_STATUS, payload: '' })
  return answer && (JSON.parse(answer.payload) as BrokerStatus)
}
