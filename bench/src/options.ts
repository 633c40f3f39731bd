import { parseArgs } from 'node:util'

/** What the command line asks for. */
export interface BenchOptions {
  /** Names of the variants to run in this order; `undefined` means all that this machine can run. */
  readonly variants: readonly string[] | undefined
  readonly rounds: number
  /** Seconds of one measurement. */
  readonly seconds: number
  /** Seconds of load before each measurement, not counted. */
  readonly warmup: number
  readonly connections: number
  /** The node binary for every server process. */
  readonly node: string
  /** Where the raw numbers go; `undefined` means a dated file in bench/results. */
  readonly json: string | undefined
  readonly help: boolean
}

/**
 * Eight processes which share the requests take eight times as long as one until V8 has optimised them: behind nginx the cost
 * per request falls by a third during the first eight seconds. A shorter warm-up would flatter the one-process variants.
 */
const WARMUP_S = 10

/** A command line that can't be followed; the message says what to write instead. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** The text of `--help`. */
export function usage(variantNames: readonly string[]): string {
  return `npm run bench -- [options]

Server-side CPU per hello-world request, all server processes together, in one interleaved run.

  --variants a,b     which to run (default: all that this machine can run)
                     ${variantNames.join(', ')}
  --rounds N         rounds; each runs every variant once, in a rotated order (default 3)
  --seconds N        seconds of one measurement (default 4)
  --warmup N         seconds of load before each measurement (default 10)
  --connections N    keep-alive client connections (default 64)
  --node PATH        node binary for all server processes (default: this one)
  --json FILE        raw numbers (default bench/results/<date>-hello.json)
  --help             this text`
}

/**
 * Reads the command line.
 *
 * @param args - without the node binary and the script
 * @param variantNames - every variant there is, to check `--variants` against
 * @throws UsageError for an unknown option, a missing or bad value, or an unknown variant.
 */
export function parseOptions(args: readonly string[], variantNames: readonly string[]): BenchOptions {
  const values = readArguments(args)
  return {
    variants: values.variants === undefined ? undefined : variantList(values.variants, variantNames),
    rounds: wholeNumber('rounds', values.rounds, 3, 1),
    seconds: wholeNumber('seconds', values.seconds, 4, 1),
    warmup: wholeNumber('warmup', values.warmup, WARMUP_S, 0),
    connections: wholeNumber('connections', values.connections, 64, 1),
    node: filled('node', values.node) ?? process.execPath,
    json: filled('json', values.json),
    help: values.help ?? false,
  }
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        variants: { type: 'string' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        warmup: { type: 'string' },
        connections: { type: 'string' },
        node: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}. See --help.`)
  }
}

function variantList(text: string, known: readonly string[]): string[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '')
  if (names.length === 0) throw new UsageError(`--variants needs at least one of ${known.join(', ')}.`)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) throw new UsageError(`Unknown variant '${unknown}'. There are ${known.join(', ')}.`)
  return names
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
  if (text === '') throw new UsageError(`--${option} needs a path.`)
  return text
}
