import { parseArgs } from 'node:util'
import { canAccount } from '../measure/accounting.ts'
import { clearMeasurements, measureApp } from '../measure/app/measure-app.ts'
import { appReport } from '../measure/app/report.ts'
import { WAYS } from '../measure/app/ways.ts'

/**
 * `httpsys measure`: what a request to a program costs alone, on a shared port, and behind proxies.
 *
 * @throws TypeError for unknown options, bad values, or no program
 */
export async function measure(args: string[]): Promise<void> {
  const separator = args.indexOf('--')
  const { values } = parseArgs({
    args: separator === -1 ? args : args.slice(0, separator),
    options: {
      path: { type: 'string', default: '/' },
      owners: { type: 'string', default: '8' },
      connections: { type: 'string', default: '64' },
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '4' },
      warmup: { type: 'string', default: '8' },
      vms: { type: 'string' },
      monthly: { type: 'string' },
    },
  })
  const command = separator === -1 ? [] : args.slice(separator + 1)
  if (command.length === 0) throw new TypeError('httpsys measure: the program is missing; write it behind --')
  if (!values.path.startsWith('/'))
    throw new TypeError(`httpsys measure: --path begins with a slash, not '${values.path}'`)
  if ((values.vms === undefined) !== (values.monthly === undefined)) {
    throw new TypeError('httpsys measure: --vms and --monthly make the bill together')
  }
  const fleet =
    values.vms === undefined || values.monthly === undefined
      ? undefined
      : { vms: wholeNumber('vms', values.vms, 1), monthly: amount('monthly', values.monthly) }
  const settings = {
    rounds: wholeNumber('rounds', values.rounds, 1),
    seconds: wholeNumber('seconds', values.seconds, 1),
    warmup: wholeNumber('warmup', values.warmup, 0),
  }
  const owners = wholeNumber('owners', values.owners, 1)
  const connections = wholeNumber('connections', values.connections, 1)
  if (!canAccount()) throw new TypeError('httpsys measure: only Linux tells the CPU time of processes exactly enough')

  const preload = new URL('../slipstream.js', import.meta.url).href
  const app = { command, path: values.path.slice(1), owners, connections, preload }
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const ways = WAYS.filter((way) => {
    const reason = way.unavailable()
    if (reason !== undefined) say(`Without ${way.name}: ${reason}.`)
    return reason === undefined
  })
  process.once('exit', clearMeasurements)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const results = await measureApp(app, ways, settings, say)
  say(`\n${appReport(results, owners, fleet)}`)
  if ([...results.values()].some((figures) => typeof figures === 'string')) process.exitCode = 1
}

function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text)
  if (/^\d{1,7}$/.test(text) && value >= least) return value
  throw new TypeError(`httpsys measure: --${option} needs a whole number of at least ${least}, not '${text}'`)
}

function amount(option: string, text: string): number {
  if (/^\d+(\.\d{1,2})?$/.test(text)) return Number(text)
  throw new TypeError(`httpsys measure: --${option} needs an amount such as 460.80, not '${text}'`)
}
