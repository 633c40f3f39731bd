import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { canAccount } from './accounting.ts'
import { chooseLoadGenerator } from './load.ts'
import { commandLine, machineFacts } from './machine.ts'
import { type Conditions, killRunning, measure, type Measurement } from './measure.ts'
import { type BenchOptions, parseOptions, usage, UsageError } from './options.ts'
import { choosePinning } from './pinning.ts'
import { renderReport, reportLines } from './report.ts'
import { rotate } from './statistics.ts'
import { type Variant, VARIANTS } from './variants.ts'

const SCENARIO = 'hello'

async function main(args: readonly string[]): Promise<void> {
  const names = VARIANTS.map((variant) => variant.name)
  const options = parseOptions(args, names)
  if (options.help) return console.log(usage(names))
  if (!canAccount()) {
    throw new UsageError(
      'This system has no /proc/PID/task/*/schedstat: CPU per request can only be measured on Linux.',
    )
  }

  const started = new Date()
  const machine = machineFacts(options.node)
  const variants = chooseVariants(options)
  const conditions = chooseConditions(options)
  const { seconds, warmup, connections } = conditions
  console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.os}, ${machine.kernel}, node ${machine.node}`)
  console.log(`${options.rounds} rounds of ${seconds} s after ${warmup} s of warm-up, ${connections} connections\n`)

  const measurements = await run(variants, options.rounds, conditions)
  const lines = reportLines(variants, measurements)
  console.log(`\n${renderReport(lines)}`)

  const file = options.json ?? defaultFile(started)
  mkdirSync(dirname(file), { recursive: true })
  const { load, pinning } = conditions
  const settings = { rounds: options.rounds, seconds, warmup, connections, load: load.name, pinning: pinning ?? null }
  const command = commandLine(args)
  const record = { scenario: SCENARIO, date: started.toISOString(), command, machine, settings, lines, measurements }
  writeFileSync(file, `${JSON.stringify(record, undefined, 2)}\n`)
  console.log(`\nRaw numbers: ${file}`)
  if (lines.some((line) => 'failure' in line)) process.exitCode = 1
}

/** All variants in turn, round after round, so that a noisy minute meets all of them. */
async function run(variants: readonly Variant[], rounds: number, conditions: Conditions): Promise<Measurement[]> {
  const measurements: Measurement[] = []
  for (let round = 1; round <= rounds; round++) {
    for (const variant of rotate(variants, round - 1)) {
      // oxlint-disable-next-line no-await-in-loop -- one at a time is the point
      const measurement = await measure(variant, round, conditions)
      measurements.push(measurement)
      console.log(`round ${round}  ${variant.name.padEnd(16)} ${summary(measurement)}`)
    }
  }
  return measurements
}

function summary(measurement: Measurement): string {
  if ('failure' in measurement) return `failed: ${measurement.failure}`
  const { cpu, requestsPerSecond } = measurement.figures
  return `${cpu.toFixed(1)} µs/request at ${Math.round(requestsPerSecond)} requests/s`
}

function chooseVariants(options: BenchOptions): Variant[] {
  const chosen: Variant[] = []
  for (const variant of VARIANTS) {
    if (options.variants !== undefined && !options.variants.includes(variant.name)) continue
    const reason = variant.unavailable()
    if (reason === undefined) chosen.push(variant)
    else if (options.variants === undefined) console.log(`Without ${variant.name}: ${reason}.`)
    else throw new UsageError(`${variant.name} can't run: ${reason}.`)
  }
  return chosen
}

function chooseConditions(options: BenchOptions): Conditions {
  const { seconds, warmup, connections, node } = options
  const load = chooseLoadGenerator()
  if (load.note !== undefined) console.log(`${load.note}.`)
  const choice = choosePinning()
  if (choice.pinning === undefined) console.log(`Servers and load generator are not pinned: ${choice.reason}.`)
  return { seconds, warmup, connections, node, load, pinning: choice.pinning }
}

function defaultFile(date: Date): string {
  const day = date.toISOString().slice(0, 16).replace(/[:]/g, '')
  return fileURLToPath(new URL(`../results/${day}-${SCENARIO}.json`, import.meta.url))
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
