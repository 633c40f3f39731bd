// `npm run chaos -- [--seconds 60] [--seed N]`: checked load while processes are killed and more.
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { FAULTS } from './faults.ts'
import { Journal } from './journal.ts'
import { startLoad } from './load.ts'
import { Random } from './random.ts'
import { PREFIXES, Site } from './site.ts'

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, seed: { type: 'string' }, fault: { type: 'string' } },
})
const seconds = Number(values.seconds ?? 60)
const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000))
const names = values.fault === undefined ? Object.keys(FAULTS) : [values.fault]
if (!Number.isInteger(seconds) || seconds < 1 || !Number.isInteger(seed) || names.some((name) => !(name in FAULTS))) {
  console.error(
    `usage: npm run chaos -- [--seconds N] [--seed N] [--fault NAME]\nfaults: ${Object.keys(FAULTS).join(', ')}`,
  )
  process.exit(2)
}
console.log(`seed ${seed}, ${seconds} s, ${PREFIXES.length} processes`)

const random = new Random(seed)
const journal = new Journal()
const site = await Site.open()
try {
  const load = startLoad(site.port, seed, journal)
  const end = performance.now() + seconds * 1000
  // Every fault once, in an order that the seed gives, before any comes again.
  for (let pending: string[] = []; performance.now() < end;) {
    if (pending.length === 0) pending = shuffled(names)
    await FAULTS[pending.pop()!]!({ site, journal, random, prefixes: PREFIXES })
    await delay(random.integer(50, 400))
  }
  await load.stop()
} finally {
  await site.close()
}
report()

function report(): void {
  const { counts, faults, failures } = journal
  for (const [name, times] of faults) console.log(`${String(times).padStart(5)} × ${name}`)
  console.log(
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', '),
  )
  for (const failure of failures) console.log(failure)
  const isGood = counts.lost === 0 && counts.misrouted === 0 && counts.answered > 0
  console.log(
    isGood
      ? 'nothing lost, nothing misrouted'
      : `FAILED; again with: npm run chaos -- --seconds ${seconds} --seed ${seed}`,
  )
  process.exitCode = isGood ? 0 : 1
}

function shuffled(texts: readonly string[]): string[] {
  return texts
    .map((text) => ({ text, key: random.next() }))
    .toSorted((one, other) => one.key - other.key)
    .map(({ text }) => text)
}
