// `npm run soak -- [--minutes 10]`: checked load and owners that are replaced, while what processes hold is watched.
import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { FAULTS } from './faults.ts'
import { Journal } from './journal.ts'
import { startLoad } from './load.ts'
import { Random } from './random.ts'
import { PREFIXES, Site } from './site.ts'
import { growthOf } from './trend.ts'
import type { Sample } from './trend.ts'

const SAMPLE_MS = 1000

const { values } = parseArgs({ options: { minutes: { type: 'string' }, leak: { type: 'string' } } })
const minutes = Number(values.minutes ?? 10)
if (!(minutes > 0) || !['broker', 'owner', undefined].includes(values.leak)) {
  console.error('usage: npm run soak -- [--minutes N] [--leak broker|owner]')
  process.exit(2)
}

// The space for young objects grows with the load until it has its full size, sooner or later, which is no trend.
process.env['NODE_OPTIONS'] = `${process.env['NODE_OPTIONS'] ?? ''} --max-semi-space-size=1`

const journal = new Journal()
const site = await Site.open()
const watched = [
  { name: 'broker', pid: site.brokerPid()!, samples: [] as Sample[] },
  // Prefix 1 keeps its process; the others are replaced all the time.
  { name: 'owner', pid: site.owners.get(PREFIXES[0]!)!.pid!, samples: [] as Sample[] },
]
try {
  const load = startLoad(site.port, 1, journal)
  const scene = { site, journal, random: new Random(1), prefixes: PREFIXES.slice(1) }
  const end = performance.now() + minutes * 60_000
  for (let next = performance.now(); performance.now() < end; next += SAMPLE_MS) {
    for (const { name, pid, samples } of watched) {
      if (name === values.leak) await site.give(pid, { kind: 'leak' })
      samples.push(await sampleOf(pid))
    }
    await FAULTS[scene.random.pick(['owner taken over', 'owner killed', 'owner retired'])]!(scene)
    await delay(Math.max(0, next + SAMPLE_MS - performance.now()))
  }
  await load.stop()
} finally {
  await site.close()
}

const { counts, failures } = journal
console.log(
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', '),
)
for (const failure of failures) console.log(failure)
const isSteady = watched.map(({ name, samples }) => report(name, samples)).every(Boolean)
process.exitCode = isSteady && counts.lost === 0 && counts.misrouted === 0 ? 0 : 1

/** Prints how a process has grown; returns whether that is no trend. */
function report(name: string, samples: readonly Sample[]): boolean {
  const growths = growthOf(samples)
  const texts = growths.map(({ what, from, to }) => `${what} ${from.toFixed()} → ${to.toFixed()}`)
  console.log(`${name}: ${texts.join(', ')}`)
  const trends = growths.filter(({ isTrend }) => isTrend).map(({ what }) => what)
  if (trends.length > 0) console.log(`${name}: a trend in ${trends.join(', ')}`)
  return trends.length === 0
}

/** After it has told, its garbage is collected: what is left is held. */
async function sampleOf(pid: number): Promise<Sample> {
  const { handles, timers } = (await site.give(pid, { kind: 'count' }))!
  const kibibytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  return { memory: kibibytes / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length, handles, timers }
}
