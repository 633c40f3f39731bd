// `npm run soak -- [--minutes 10]`: checked load and owners that are replaced, while memory and handles are watched.
import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { FAULTS } from './faults.ts'
import { Journal } from './journal.ts'
import { startLoad } from './load.ts'
import { Random } from './random.ts'
import { PREFIXES, Site } from './site.ts'

const SAMPLE_MS = 1000
/** The heap settles first. */
const WARM_UP = 0.2
/** What may be another at the end than at the beginning, of the median: noise, not a trend. */
const MAX_RSS_GROWTH_MIB = 16
const MAX_DESCRIPTOR_GROWTH = 8

interface Sample {
  readonly rssMebibytes: number
  readonly descriptors: number
}

const { values } = parseArgs({ options: { minutes: { type: 'string' } } })
const minutes = Number(values.minutes ?? 10)
if (!(minutes > 0)) {
  console.error('usage: npm run soak -- [--minutes N]')
  process.exit(2)
}

const journal = new Journal()
const site = await Site.open()
const samples: { broker: Sample[]; owner: Sample[] } = { broker: [], owner: [] }
try {
  const load = startLoad(site.port, 1, journal)
  const random = new Random(1)
  // Prefix 1 keeps its process, which is watched; the others are replaced all the time.
  const others = PREFIXES.slice(1)
  const end = performance.now() + minutes * 60_000
  for (let next = performance.now(); performance.now() < end; next += SAMPLE_MS) {
    samples.broker.push(sampleOf(site.brokerPid()!))
    samples.owner.push(sampleOf(site.owners.get(PREFIXES[0]!)!.pid!))
    await FAULTS[random.pick(['owner taken over', 'owner killed', 'owner retired'])]!({
      site,
      journal,
      random,
      prefixes: others,
    })
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
const isSteady = [report('broker', samples.broker), report('owner', samples.owner)].every(Boolean)
process.exitCode = isSteady && counts.lost === 0 && counts.misrouted === 0 ? 0 : 1

/** Prints how a process has grown; returns whether that is no trend. */
function report(name: string, all: readonly Sample[]): boolean {
  const settled = all.slice(Math.floor(all.length * WARM_UP))
  const third = Math.ceil(settled.length / 3)
  const [first, last] = [settled.slice(0, third), settled.slice(-third)]
  const rss = [first, last].map((part) => medianOf(part.map((sample) => sample.rssMebibytes)))
  const descriptors = [first, last].map((part) => medianOf(part.map((sample) => sample.descriptors)))
  console.log(
    `${name}: ${rss[0]!.toFixed(1)} → ${rss[1]!.toFixed(1)} MiB resident, ${descriptors[0]} → ${descriptors[1]} descriptors`,
  )
  const isSteady = rss[1]! - rss[0]! < MAX_RSS_GROWTH_MIB && descriptors[1]! - descriptors[0]! < MAX_DESCRIPTOR_GROWTH
  if (!isSteady) console.log(`${name}: that is a trend`)
  return isSteady
}

function sampleOf(pid: number): Sample {
  const kibibytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  return { rssMebibytes: kibibytes / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length }
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0
}
