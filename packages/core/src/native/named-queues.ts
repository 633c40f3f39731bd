import { HttpSysError } from '../base/errors.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'
import type { IoContext } from './io-context.ts'
import { queueNamesOf } from './queue-names.ts'
import { RequestQueueHandle } from './request-queue.ts'

/**
 * Makes the queue of a new claim, under the first of the prefix's names that is free.
 *
 * @param make - makes a queue of a name
 * @throws HttpSysError `EADDRINUSE` when all of them are taken
 */
export function createNamedQueue(prefix: UrlPrefix, make: (name: string) => RequestQueueHandle): RequestQueueHandle {
  const names = queueNamesOf(prefix)
  for (const name of names) {
    try {
      return make(name)
    } catch (error) {
      if ((error as HttpSysError).code !== 'EADDRINUSE' || name === names.at(-1)) throw error
    }
  }
  throw new Error('a prefix has no queue names')
}

/**
 * Opens the queue that another process has made for the prefix; undefined when there is none.
 *
 * @throws HttpSysError `EADDRINUSE` when several are there, since a process that has closed is not done with its responses: which of
 * them gets the requests can't be told
 */
export function openNamedQueue(io: IoContext, prefix: UrlPrefix): RequestQueueHandle | undefined {
  const found: RequestQueueHandle[] = []
  try {
    for (const name of queueNamesOf(prefix)) {
      const handle = tryOpen(io, name)
      if (handle !== undefined) found.push(handle)
    }
  } catch (error) {
    for (const handle of found) handle.close()
    throw error
  }
  if (found.length <= 1) return found[0]
  for (const handle of found) handle.close()
  throw new HttpSysError({
    code: 'EADDRINUSE',
    syscall: 'listen',
    subject: prefix.href,
    reason: 'a process that has closed its server still finishes its responses, and has a queue of the same prefix',
    remedy: 'Listen again when it has ended.',
  })
}

function tryOpen(io: IoContext, name: string): RequestQueueHandle | undefined {
  try {
    return new RequestQueueHandle(io.api, io.port, name, 'open')
  } catch (error) {
    // ERROR_FILE_NOT_FOUND: nobody has a queue of this name.
    if ((error as HttpSysError).code === 'ECONNRESET') return undefined
    throw error
  }
}
