// `npm run chaos -- [--seconds 60] [--seed N]`: checked load while processes are killed and more; with `--restarts`, while they are
// replaced as in a deployment.
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { FAULTS } from './faults.ts'
import { Journal } from './journal.ts'
import { startLoad } from './load.ts'
import { Random } from './random.ts'
import { runRestarts } from './restarts.ts'
import { PREFIXES, Site } from './site.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    fault: { type: 'string' },
    restarts: { type: 'boolean' },
    rate: { type: 'string' },
  },
})
const seconds = values.minutes === undefined ? Number(values.seconds ?? 60) : Number(values.minutes) * 60
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000))
const rate = values.rate === undefined ? undefined : Number(values.rate)
const names = values.fault === undefined ? Object.keys(FAULTS) : [values.fault]
const isUsable = [seconds, rate ?? 1].every((number) => Number.isInteger(number) && number >= 1)
if (!isUsable || !Number.isInteger(seed) || names.some((name) => !(name in FAULTS))) {
  console.error(
    `usage: npm run chaos -- [--seconds N | --minutes N] [--seed N] [--fault NAME]\n       npm run chaos -- --restarts [--seconds N | --minutes N] [--seed N] [--rate N]\nfaults: ${Object.keys(FAULTS).join(', ')}`,
  )
  process.exit(2)
}
console.log(`seed ${seed}, ${seconds} s, ${PREFIXES.length} processes`)

const random = new Random(seed)
const journal = new Journal()
const site = await Site.open()
const scene = { site, journal, random, prefixes: PREFIXES }
let isFastLoadGood = true
try {
  if (values.restarts === true) isFastLoadGood = await runRestarts(scene, { seconds, seed, rate })
  else await runFaults()
} finally {
  await site.close()
}
report()

async function runFaults(): Promise<void> {
  const load = startLoad(site.port, seed, journal)
  const end = performance.now() + seconds * 1000
  // Every fault once, in an order that the seed gives, before any comes again.
  for (let pending: string[] = []; performance.now() < end;) {
    if (pending.length === 0) pending = shuffled(names)
    await FAULTS[pending.pop()!]!(scene)
    await delay(random.integer(50, 400))
  }
  await load.stop()
}

function report(): void {
  const { counts, faults, failures } = journal
  for (const [name, times] of faults) console.log(`${String(times).padStart(5)} × ${name}`)
  console.log(
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', '),
  )
  for (const failure of failures) console.log(failure)
  const isGood = counts.lost === 0 && counts.misrouted === 0 && counts.answered > 0 && isFastLoadGood
  console.log(
    isGood
      ? 'nothing lost, nothing misrouted'
      : `FAILED; again with: npm run chaos -- ${values.restarts === true ? '--restarts ' : ''}--seconds ${seconds} --seed ${seed}`,
  )
  process.exitCode = isGood ? 0 : 1
}

function shuffled(texts: readonly string[]): string[] {
  return texts
    .map((text) => ({ text, key: random.next() }))
    .toSorted((one, other) => one.key - other.key)
    .map(({ text }) => text)
}
