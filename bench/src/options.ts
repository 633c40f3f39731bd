import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface BenchOptions {
  /** Names of the scenarios to run. */
  readonly scenarios: readonly string[]
  /** Names of the variants to run; `undefined` means all that this machine can run. */
  readonly variants: readonly string[] | undefined
  readonly rounds: number
  /** Seconds of one measurement. */
  readonly seconds: number
  /** Seconds of load before each measurement, not counted. */
  readonly warmup: number
  readonly connections: number
  /** The node binary for every server process. */
  readonly node: string
  /** The load generator asked for. */
  readonly load: string | undefined
  /** Where the raw numbers go; `undefined` means a dated file in bench/results. With several scenarios a directory. */
  readonly json: string | undefined
  /** Rounds are added to those that the results file has. */
  readonly isMore: boolean
  /** Everything as small as it can be, to see that it works. */
  readonly isSmoke: boolean
  readonly isList: boolean
  readonly isHelp: boolean
}

/**
 * Eight processes which share the requests take eight times as long as one until V8 has optimised them: behind nginx the cost
 * per request falls by a third during the first eight seconds. A shorter warm-up would flatter the one-process variants.
 */
const WARMUP_S = 15

/** A command line that can't be followed; the message says what to write instead. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** The text of `--help`. */
export const USAGE = `npm run bench -- [options]

What a request costs the servers: CPU of all server processes together, from the kernel's accounting, in interleaved rounds.

  --scenario a,b     which to run (default: mix, the article's); all: every one
  --list             the scenarios and their variants, and what this machine can't run
  --variants a,b     only these variants of the scenarios
  --rounds N         rounds; each runs every variant once, in a rotated order (default 5)
  --seconds N        seconds of one measurement (default 4)
  --warmup N         seconds of load before the first measurement of each variant (default ${WARMUP_S})
  --connections N    keep-alive client connections (default 64)
  --load NAME        wrk, built-in or autocannon (default: wrk when it is installed)
  --node PATH        node binary for all server processes (default: this one)
  --json FILE        raw numbers, after each round (default bench/results/<date>-<scenario>.json); a directory for several scenarios
  --more             add the rounds to those that the file has: the same scenario, settings, commit and machine
  --smoke            one round of a second, everything tiny: shows that it works, measures nothing
  --help             this text`

/**
 * Reads the command line.
 *
 * @param args - without the node binary and the script
 * @param scenarioNames - every scenario there is
 * @throws UsageError for an unknown option or scenario, or a missing or bad value
 */
export function parseOptions(args: readonly string[], scenarioNames: readonly string[]): BenchOptions {
  const values = readArguments(args)
  const isSmoke = values.smoke ?? false
  const options: BenchOptions = {
    scenarios: scenarioList(values.scenario, scenarioNames),
    variants: values.variants === undefined ? undefined : names('variants', values.variants),
    rounds: wholeNumber('rounds', values.rounds, isSmoke ? 1 : 5, 1),
    seconds: wholeNumber('seconds', values.seconds, isSmoke ? 1 : 4, 1),
    warmup: wholeNumber('warmup', values.warmup, isSmoke ? 0 : WARMUP_S, 0),
    connections: wholeNumber('connections', values.connections, isSmoke ? 8 : 64, 1),
    node: filled('node', values.node) ?? process.execPath,
    load: filled('load', values.load),
    json: filled('json', values.json),
    isMore: values.more ?? false,
    isSmoke,
    isList: values.list ?? false,
    isHelp: values.help ?? false,
  }
  if (options.isMore && options.json === undefined)
    throw new UsageError('--more needs --json FILE, the results to add rounds to.')
  if (options.json?.endsWith('.json') === true && options.scenarios.length > 1)
    throw new UsageError(
      `--json ${options.json} is one file for ${options.scenarios.length} scenarios: name a directory.`,
    )
  return options
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        scenario: { type: 'string' },
        variants: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        warmup: { type: 'string' },
        connections: { type: 'string' },
        node: { type: 'string' },
        load: { type: 'string' },
        json: { type: 'string' },
        more: { type: 'boolean' },
        smoke: { type: 'boolean' },
        list: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}. See --help.`)
  }
}

function scenarioList(text: string | undefined, known: readonly string[]): string[] {
  if (text === undefined) return known.slice(0, 1)
  if (text === 'all') return [...known]
  const asked = names('scenario', text)
  const unknown = asked.find((name) => !known.includes(name))
  if (unknown !== undefined)
    throw new UsageError(`Unknown scenario '${unknown}'. There are ${known.join(', ')}, and all.`)
  return asked
}

function names(option: string, text: string): string[] {
  const found = [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '')
  if (found.length === 0) throw new UsageError(`--${option} needs at least one name; --list shows them.`)
  return found
}

function wholeNumber(option: string, text: string | undefined, byDefault: number, least: number): number {
  if (text === undefined) return byDefault
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > 1_000_000) {
    throw new UsageError(`--${option} needs a whole number of at least ${least}, not '${text}'.`)
  }
  return value
}

function filled(option: string, text: string | undefined): string | undefined {
  if (text === '') throw new UsageError(`--${option} needs a value.`)
  return text
}
