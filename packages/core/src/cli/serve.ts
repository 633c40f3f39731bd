import { parseArgs } from 'node:util'
import type { ServeOptions } from '../broker/daemon/run-daemon.ts'

/**
 * `httpsys serve`: runs a broker in this process until it is told to end.
 *
 * @throws TypeError for unknown options or a port that is none
 */
export async function serve(args: string[], runDaemon: (options: ServeOptions) => Promise<void>): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      shared: { type: 'boolean' },
      user: { type: 'string' },
      port: { type: 'string', multiple: true },
    },
  })
  const ports = (values.port ?? []).map(Number)
  const wrong = ports.findIndex((port) => !(Number.isInteger(port) && port > 0 && port < 65_536))
  if (wrong !== -1) throw new TypeError(`httpsys serve: --port is ${values.port![wrong]}, not a number from 1 to 65535`)
  if (values.user !== undefined && process.getuid?.() !== 0)
    throw new TypeError('httpsys serve: only root can use --user')
  await runDaemon({ isShared: values.shared === true, user: values.user, ports })
}
