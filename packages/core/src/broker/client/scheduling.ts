import { HttpSysError } from '../../base/errors.ts'
import { useBatchPolicy } from '../../sockets/batch-policy.ts'

let isChosen = false

/**
 * Does what `HTTPSYS_SCHEDULING` says: owners are scheduled in batches unless they are to be left alone. A broker that hands requests to
 * many owners on few processors gets to the end of its work before one of them runs, and each finds more to do when it does.
 *
 * @throws HttpSysError `EINVAL`
 */
export function chooseScheduling(environment: NodeJS.ProcessEnv): void {
  const value = environment['HTTPSYS_SCHEDULING'] || 'batch'
  if (value !== 'batch' && value !== 'unchanged') {
    throw new HttpSysError({
      code: 'EINVAL',
      syscall: 'listen',
      subject: 'HTTPSYS_SCHEDULING',
      reason: `it is ${JSON.stringify(value)}`,
      remedy: 'Set it to batch or unchanged, or leave it out.',
    })
  }
  if (isChosen) return
  isChosen = true
  if (value === 'batch') useBatchPolicy()
}
