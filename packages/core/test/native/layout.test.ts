import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as constants from '../../src/native/constants.ts'
import * as layout from '../../src/native/layout.ts'

/** Lines `struct TAB field TAB offset`, field `*` for the size; printed by a C program that was compiled with the headers of Windows. */
const golden = readFileSync(new URL('./http-struct-layout.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => line.split('\t') as [struct: string, field: string, offset: string])

/** Which of our tables speak of which structs of the headers. */
const NAMES: Record<string, string> = {
  HTTP_REQUEST_V1: 'HTTP_REQUEST',
  HTTP_REQUEST_V2: 'HTTP_REQUEST',
  HTTP_REQUEST_HEADERS: 'HTTP_HEADERS',
  HTTP_RESPONSE_HEADERS: 'HTTP_HEADERS',
  HTTP_RESPONSE_V1: 'HTTP_RESPONSE',
  HTTP_RESPONSE_V2: 'HTTP_RESPONSE',
}

const tables = layout as unknown as Record<string, Record<string, number> | undefined>
const known = constants as unknown as Record<string, number | undefined>

function tableOf(struct: string): Record<string, number> | undefined {
  return tables[NAMES[struct] ?? struct]
}

describe('the layout of the structs', () => {
  const offsets = golden.filter(([struct, field]) => tableOf(struct)?.[field] !== undefined)

  test.each(offsets)('%s.%s is where the compiler puts it: %s', (struct, field, offset) => {
    expect(tableOf(struct)![field]).toBe(Number(offset))
  })

  test.each(golden.filter(([struct, field]) => field === '*' && tableOf(struct)?.['$size'] !== undefined))(
    '%s has its size',
    (struct, _, size) => {
      // The tables of requests and responses are of version 2.
      if (!struct.endsWith('_V1')) expect(tableOf(struct)!['$size']).toBe(Number(size))
    },
  )

  test('has no number that the compiler was not asked about', () => {
    const asked = new Set(
      golden.map(([struct, field]) => `${NAMES[struct] ?? struct}.${field === '*' ? '$size' : field}`),
    )
    const ours = Object.entries(tables).flatMap(([struct, table]) =>
      Object.keys(table!).map((field) => `${struct}.${field}`),
    )
    expect(ours.filter((name) => !asked.has(name))).toEqual([])
  })

  test.each(golden.filter(([name, mark]) => mark === '=' && known[name] !== undefined))(
    'the constant %s has its value',
    (name, _, value) => {
      expect(known[name]).toBe(Number(value))
    },
  )
})
