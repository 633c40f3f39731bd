import { parseArgs } from 'node:util'

/**
 * `httpsys upgrade`: replaces the running broker.
 *
 * @param replace - does it, and resolves to the new process; undefined when no broker runs
 * @throws TypeError for any argument
 */
export async function upgrade(args: string[], replace: () => Promise<number | undefined>): Promise<void> {
  parseArgs({ args, options: {} })
  const pid = await replace()
  process.stdout.write(pid === undefined ? 'no broker runs\n' : `the broker is process ${pid} now\n`)
}
