import { Server } from 'node:http'
import { inspect } from 'node:util'
import { HttpSysError } from '../base/errors.ts'
import { giveUpPrefix, holdOnClose } from './listen-hook.ts'

/** A server, or an app that has one and closes it: Fastify's. */
export interface Retirable {
  readonly server?: unknown
  close(): unknown
}

/**
 * Closes a server for a successor: as `close()` does, but requests for its prefix wait for the process that claims it next, for
 * `holdFor` (2 seconds unless set). What is under way is finished. A server on a TCP port is just closed.
 *
 * @throws HttpSysError `EINVAL` for what is no server
 */
export function retire(app: Retirable): void {
  const server = app instanceof Server ? app : (app as Retirable | null)?.server
  if (!(server instanceof Server)) {
    throw new HttpSysError({
      code: 'EINVAL',
      syscall: 'close',
      subject: inspect(app, { depth: 0, breakLength: Infinity }).slice(0, 100),
      reason: 'it is no http.Server and has none as its server',
      remedy: 'Give what listen returned, or a Fastify app.',
    })
  }
  if (app === server) {
    holdOnClose(server)
    app.close()
    // Fastify answers with 503 from the moment in which it closes, also what is on its way.
  } else void giveUpPrefix(server).then(() => app.close())
}
