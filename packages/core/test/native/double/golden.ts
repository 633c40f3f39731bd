import { readFileSync } from 'node:fs'

/**
 * Sizes, offsets and constants as a C compiler printed them. The double takes them from here and never from the backend's own
 * tables: a number that is wrong there must not be wrong here too.
 */
const numbers = new Map<string, number>(
  readFileSync(new URL('../http-struct-layout.txt', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('\t') as [string, string, string])
    .map(([struct, field, value]) => [`${struct} ${field}`, Number(value)]),
)

function golden(name: string): number {
  const value = numbers.get(name)
  if (value === undefined) throw new Error(`http-struct-layout.txt has no ${name}`)
  return value
}

export function sizeOf(struct: string): number {
  return golden(`${struct} *`)
}

export function offsetOf(struct: string, field: string): number {
  return golden(`${struct} ${field}`)
}

export function constant(name: string): number {
  return golden(`${name} =`)
}
