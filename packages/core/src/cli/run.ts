import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { parseArgs } from 'node:util'
import { readDestination } from '../slipstream/destination.ts'

/** Signals that ask a program to end; a terminal sends them to both, a supervisor to this process only. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const OF_THE_CONSOLE = ['SIGINT', 'SIGBREAK', 'SIGHUP'] as const
/** What npm and others come as on Windows, and only cmd.exe starts. */
const SCRIPT_HINT = '; scripts such as npm are started by cmd.exe: httpsys run … -- cmd /c npm start'

/**
 * `httpsys run`: starts a program with the slipstream preload and ends as it ends.
 *
 * @param isWindows - signals are the console's, which sends Ctrl-C and its like to the program as well; to send one on would end it at once
 * @throws TypeError for unknown options, HttpSysError `EINVAL` for a prefix that breaks a rule
 */
export function run(args: string[], isWindows: boolean): void {
  const separator = args.indexOf('--')
  const { values } = parseArgs({
    args: separator === -1 ? args : args.slice(0, separator),
    options: { prefix: { type: 'string' }, base: { type: 'string' }, 'no-strip': { type: 'boolean' } },
  })
  const [program, ...programArgs] = separator === -1 ? [] : args.slice(separator + 1)
  if (values.prefix === undefined) throw new TypeError('httpsys run: --prefix is missing')
  if (program === undefined) throw new TypeError('httpsys run: the program is missing; write it behind --')
  if (values.base !== undefined) process.env['HTTPSYS_BASE'] = values.base
  // Said here, once, and not by every process that the program starts.
  readDestination(values.prefix)
  const child = spawn(program, programArgs, {
    stdio: 'inherit',
    env: {
      ...process.env,
      HTTPSYS_PREFIX: values.prefix,
      ...(values['no-strip'] === true ? { HTTPSYS_STRIP: '0' } : {}),
      NODE_OPTIONS: withPreload(process.env['NODE_OPTIONS']),
    },
  })
  for (const signal of isWindows ? OF_THE_CONSOLE : FORWARDED) {
    process.on(signal, () => void (isWindows || child.kill(signal)))
  }
  child.once('error', (error) => {
    process.stderr.write(`httpsys run: ${program} can't be started: ${error.message}${isWindows ? SCRIPT_HINT : ''}\n`)
    process.exitCode = 127
  })
  child.once('exit', (code, signal) => {
    // As shells report a program that a signal has ended.
    process.exitCode = code ?? 128 + constants.signals[signal!]
  })
}

function withPreload(options: string | undefined): string {
  const preload = `--import=${new URL('../slipstream.js', import.meta.url).href}`
  return options === undefined || options === '' ? preload : `${options} ${preload}`
}
