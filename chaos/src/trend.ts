/** What a process holds at one moment. */
export interface Sample {
  /** MiB of resident memory. */
  readonly memory: number
  readonly descriptors: number
  readonly handles: number
  readonly timers: number
}

/** How much of something a process had at the beginning and at the end. */
export interface Growth {
  readonly what: keyof Sample
  readonly from: number
  readonly to: number
  readonly isTrend: boolean
}

/** The heap settles first. */
const WARM_UP = 0.2
/** What may be another at the end than at the beginning: noise, not a trend. */
const NOISE: Readonly<Record<keyof Sample, number>> = { memory: 16, descriptors: 8, handles: 8, timers: 8 }

/** How a process has grown, by the medians of the first and of the last third once it has settled. */
export function growthOf(samples: readonly Sample[]): Growth[] {
  const settled = samples.slice(Math.floor(samples.length * WARM_UP))
  const third = Math.ceil(settled.length / 3)
  return (Object.keys(NOISE) as (keyof Sample)[]).map((what) => {
    const all = settled.map((sample) => sample[what])
    const [from, to] = [medianOf(all.slice(0, third)), medianOf(all.slice(-third))]
    return { what, from, to, isTrend: to - from > NOISE[what] }
  })
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0
}
