import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { ExchangeListener, RequestQueue } from '../../queue/exchange.ts'
import { runtimeDirectory } from '../rendezvous/runtime-directory.ts'
import { BrokerSession } from './broker-session.ts'

/** One session for each runtime directory: all servers of a process share it. */
const sessions = new Map<string, BrokerSession>()

/**
 * Claims a prefix at the broker of this user, which is started when there is none.
 *
 * @throws HttpSysError `EADDRINUSE`, `EACCES`, `ETIMEDOUT` and others, each with its remedy.
 */
export async function openBrokerQueue(prefix: UrlPrefix, listener: ExchangeListener): Promise<RequestQueue> {
  const directory = runtimeDirectory()
  let session = sessions.get(directory)
  if (session === undefined) {
    session = new BrokerSession(directory)
    sessions.set(directory, session)
  }
  return session.open(prefix, listener)
}
