import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { canAccount } from '@httpsys/core/measure'
import { chooseConditions, type Conditions } from './conditions.ts'
import { commandLine, machineFacts } from './machine.ts'
import { type BenchOptions, parseOptions, USAGE, UsageError } from './options.ts'
import { renderReport, reportLines } from './report.ts'
import { emptyResults, lastRound, readForMore, type Results, writeResults } from './results-file.ts'
import { killRunning, runRounds } from './run.ts'
import type { Measurement, Metric, Scenario, Variant } from './scenario.ts'
import { SCENARIOS } from './scenarios/all.ts'

/** Variants of a smoke test besides those of the first scenario. */
const SMOKED = /^(httpsys|nginx)$|-1000$/

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(
    args,
    SCENARIOS.map(({ name }) => name),
  )
  if (options.isHelp) return console.log(USAGE)
  if (options.isList) return list()
  if (!canAccount()) {
    throw new UsageError(
      'This system has no /proc/PID/task/*/schedstat: CPU per request can only be measured on Linux.',
    )
  }
  const started = new Date()
  const machine = machineFacts(options.node)
  const conditions = chooseConditions(options, console.log)
  const { seconds, warmup, connections, load, pinning } = conditions
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.os}, ${machine.kernel}, node ${machine.node}`)
  console.log(`${options.rounds} rounds of ${seconds} s after ${warmup} s of warm-up, ${connections} connections`)

  const settings = { seconds, warmup, connections, load: load.name, pinning: pinning ?? null }
  const facts = { date: started.toISOString(), command: commandLine(args), machine, settings }
  for (const scenario of SCENARIOS.filter(({ name }) => options.scenarios.includes(name))) {
    const variants = chooseVariants(scenario, options)
    if (variants.length === 0) {
      console.log(`\n${scenario.title}: nothing to run here.`)
      continue
    }
    console.log(`\n${scenario.title} (${scenario.name})\n${scenario.about}\n`)
    const file = fileOf(scenario, options, started)
    const fresh = emptyResults(scenario, variants, facts)
    const before = options.isMore ? readForMore(file, fresh) : fresh
    await runScenario(scenario, variants, before, options, conditions, file)
  }
}

async function runScenario(
  scenario: Scenario,
  variants: readonly Variant[],
  before: Results,
  options: BenchOptions,
  conditions: Conditions,
  file: string,
): Promise<void> {
  // What was run to see that it works is nothing to keep.
  const isKept = !options.isSmoke || options.json !== undefined
  const measurements: Measurement[] = [...before.measurements]
  const rounds = { first: lastRound(before) + 1, count: options.rounds }
  await runRounds(variants, rounds, conditions, (measurement) => {
    measurements.push(measurement)
    const { round, variant } = measurement
    console.log(`round ${round}  ${variant.padEnd(16)} ${describe(measurement, scenario.metrics)}`)
    // A run that is broken off keeps the rounds that it has finished.
    if (isKept && measurements.length % variants.length === 0) writeResults(file, { ...before, measurements })
  })
  const results = { ...before, measurements }
  const lines = reportLines(results, measurements)
  console.log(`\n${renderReport(results, lines)}`)
  if (lines.some((line) => 'failure' in line)) process.exitCode = 1
  if (isKept) console.log(`\nRaw numbers: ${file}`)
}

function describe(measurement: Measurement, metrics: readonly Metric[]): string {
  if ('failure' in measurement) return `failed: ${measurement.failure}`
  const { values } = measurement.figures
  return metrics
    .flatMap(({ key, title, digits }) => (values[key] === undefined ? [] : `${title} ${values[key].toFixed(digits)}`))
    .join(', ')
}

function chooseVariants(scenario: Scenario, options: BenchOptions): Variant[] {
  const asked = options.variants
  const known = scenario.variants.map(({ name }) => name)
  const unknown = asked?.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    throw new UsageError(`Scenario ${scenario.name} has no variant '${unknown}'. There are ${known.join(', ')}.`)
  }
  return scenario.variants.filter((variant) => {
    if (asked?.includes(variant.name) === false) return false
    // The first scenario has shown that every peer starts.
    if (options.isSmoke && asked === undefined && scenario !== SCENARIOS[0] && !SMOKED.test(variant.name)) return false
    const reason = variant.unavailable()
    if (reason === undefined) return true
    if (asked !== undefined) throw new UsageError(`${variant.name} can't run: ${reason}.`)
    console.log(`Without ${variant.name}: ${reason}.`)
    return false
  })
}

function fileOf({ name }: Scenario, { json }: BenchOptions, date: Date): string {
  const own = `${date.toISOString().slice(0, 16).replace(':', '')}-${name}.json`
  if (json === undefined) return join(fileURLToPath(new URL('../results/', import.meta.url)), own)
  return json.endsWith('.json') ? json : join(json, `${name}.json`)
}

function list(): void {
  for (const { name, title, about, variants } of SCENARIOS) {
    console.log(`${name}: ${title}\n  ${about}`)
    for (const variant of variants) {
      const reason = variant.unavailable()
      console.log(
        `  ${variant.name.padEnd(16)} ${variant.title}${reason === undefined ? '' : ` (not here: ${reason})`}`,
      )
    }
    console.log('')
  }
}

process.on('exit', killRunning)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = 2
}
