import type { OpenQueue, QueueBackend } from '../../queue/exchange.ts'
import { runtimeDirectory } from '../rendezvous/runtime-directory.ts'
import { BoundPort } from './bound-port.ts'
import { BrokerSession } from './broker-session.ts'

/** One session for each runtime directory: all servers of a process share it. */
const sessions = new Map<string, BrokerSession>()

/**
 * Claims a prefix at the broker of this user, which is started when there is none.
 *
 * @throws HttpSysError `EADDRINUSE`, `EACCES`, `ETIMEDOUT` and others, each with its remedy.
 */
export const openBrokerQueue: OpenQueue = async (prefix, listener, reservation) => {
  const directory = runtimeDirectory()
  let session = sessions.get(directory)
  if (session === undefined) {
    session = new BrokerSession(directory)
    sessions.set(directory, session)
  }
  let isOpen = false
  try {
    const queue = await session.open(prefix, listener, reservation as BoundPort | undefined)
    isOpen = true
    return queue
  } finally {
    // The broker has descriptors of its own for the port, or the claim has failed. Those of a private port end its listening.
    if (!isOpen || reservation?.privatePort === undefined) reservation?.release()
  }
}

/** The broker as a backend of the layers above. */
export const brokerBackend: QueueBackend = {
  open: openBrokerQueue,
  reserve: (prefix, host) => BoundPort.open(prefix, host),
}
