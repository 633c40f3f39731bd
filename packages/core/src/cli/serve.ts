import { parseArgs } from 'node:util'
import { isBroken } from '../base/url-prefix-syntax.ts'
import type { ServeOptions } from '../broker/daemon/run-daemon.ts'
import { LIMIT_FLAGS, readLimitFlags } from '../broker/daemon/server-limits.ts'

/**
 * `httpsys serve`: runs a broker in this process until it is told to end.
 *
 * @throws TypeError for unknown options, a port that is none, or a limit that can't be one
 */
export async function serve(args: string[], runDaemon: (options: ServeOptions) => Promise<void>): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      ...Object.fromEntries(LIMIT_FLAGS.map((flag) => [flag, { type: 'string' as const }])),
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
  const limits = readLimitFlags(values)
  if (isBroken(limits)) throw new TypeError(`httpsys serve: ${limits.reason}. ${limits.remedy}.`)
  await runDaemon({ isShared: values.shared === true, user: values.user, ports, limits })
}
