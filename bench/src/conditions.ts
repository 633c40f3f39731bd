import {
  builtInLoad,
  choosePinning,
  isWrkInstalled,
  type LoadGenerator,
  type Pinning,
  wrkLoad,
} from '@httpsys/core/measure'
import { autocannonLoad } from './loads/autocannon.ts'
import { type BenchOptions, UsageError } from './options.ts'

/** Under what conditions every variant is measured. */
export interface Conditions {
  /** Seconds of one measurement. */
  readonly seconds: number
  /** Seconds of load before it. */
  readonly warmup: number
  readonly connections: number
  /** The numbers of the owners; each has the prefix `/N/`. */
  readonly owners: readonly number[]
  /** Everything as small as it can be, to see that it works. */
  readonly isSmoke: boolean
  /** The node binary of the servers. */
  readonly node: string
  readonly pinning: Pinning | undefined
  readonly load: LoadGenerator
}

const GENERATORS: Readonly<Record<string, LoadGenerator>> = {
  wrk: wrkLoad,
  autocannon: autocannonLoad,
  'built-in': builtInLoad,
}

/** What there is on this machine; `say` hears what is missing. */
export function chooseConditions(options: BenchOptions, say: (line: string) => void): Conditions {
  const { seconds, warmup, connections, node, isSmoke } = options
  const choice = choosePinning()
  if (choice.pinning === undefined) say(`Servers and load generator are not pinned: ${choice.reason}.`)
  const load = chooseLoad(options.load, say)
  const owners = isSmoke ? [1, 2] : [1, 2, 3, 4, 5, 6, 7, 8]
  return { seconds, warmup, connections, owners, node, isSmoke, load, pinning: choice.pinning }
}

function chooseLoad(asked: string | undefined, say: (line: string) => void): LoadGenerator {
  if (asked === undefined && isWrkInstalled()) return wrkLoad
  if (asked === undefined) {
    say(
      'wrk is not installed: the built-in generator makes the load. It is slower than the servers, so batches are smaller and every µs/request is higher than with wrk.',
    )
    return builtInLoad
  }
  const found = GENERATORS[asked]
  if (found === undefined)
    throw new UsageError(`--load needs one of ${Object.keys(GENERATORS).join(', ')}, not '${asked}'.`)
  if (found === wrkLoad && !isWrkInstalled()) throw new UsageError('--load wrk: wrk is not installed.')
  return found
}
