import { libc } from './libc.ts'

/** How many descriptors this process may have at a time; Node has raised it as far as it may. Infinity where nobody can tell. */
export function descriptorLimit(): number {
  const library = libc()
  const limits = new BigUint64Array(2)
  if (library === null || library.getrlimit(library.platform.RLIMIT_NOFILE, limits) < 0) return Infinity
  const limit = Number(limits[0])
  // RLIM_INFINITY is the largest number there is.
  return limit > Number.MAX_SAFE_INTEGER ? Infinity : limit
}
