import { environmentChoice } from '../../base/environment-choice.ts'
import { useBatchPolicy } from '../../sockets/batch-policy.ts'

let isChosen = false

/**
 * Does what `HTTPSYS_SCHEDULING` says: owners are scheduled in batches unless they are to be left alone. A broker that hands requests to
 * many owners on few processors gets to the end of its work before one of them runs, and each finds more to do when it does.
 *
 * @throws HttpSysError `EINVAL`
 */
export function chooseScheduling(environment: NodeJS.ProcessEnv): void {
  const choice = environmentChoice(environment, 'HTTPSYS_SCHEDULING', ['batch', 'unchanged'])
  if (isChosen) return
  isChosen = true
  if (choice !== 'unchanged') useBatchPolicy()
}
