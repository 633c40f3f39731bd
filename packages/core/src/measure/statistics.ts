/** A median together with the smallest and the largest value it was taken from. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/**
 * Middle value, or the mean of the two middle ones.
 *
 * @throws RangeError when there are no values.
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const low = sorted[Math.floor((sorted.length - 1) / 2)]
  const high = sorted[Math.floor(sorted.length / 2)]
  if (low === undefined || high === undefined) throw new RangeError('The median of no values')
  return (low + high) / 2
}

/**
 * Median, smallest and largest of the values.
 *
 * @throws RangeError when there are no values.
 */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/**
 * Divides round by round and only then takes the spread: a noisy minute slows both sides of its own round,
 * so the ratio is steadier than either number.
 *
 * @param dividends - one number per round
 * @param divisors - the other side, in the same order of rounds
 * @throws RangeError when the sides differ in length or have no rounds.
 */
export function ratioSpread(dividends: readonly number[], divisors: readonly number[]): Spread {
  if (dividends.length !== divisors.length) throw new RangeError('Rounds without a counterpart')
  return spreadOf(dividends.map((dividend, round) => dividend / (divisors[round] ?? Number.NaN)))
}

/** The items starting at `offset`, wrapping around: each round starts with another variant. */
export function rotate<T>(items: readonly T[], offset: number): T[] {
  if (items.length === 0) return []
  const start = offset % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}
