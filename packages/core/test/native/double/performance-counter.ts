/** As on most machines. */
export const COUNTS_PER_SECOND = 10_000_000n
/** The machine has been up for longer than the process: twelve days, so that the count has more than 32 bits. */
const UPTIME_COUNTS = 12n * 86_400n * COUNTS_PER_SECOND

export function performanceCounter(): bigint {
  return UPTIME_COUNTS + BigInt(Math.round(performance.now() * Number(COUNTS_PER_SECOND / 1000n)))
}
