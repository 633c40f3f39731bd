import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { NOT_SHOWN } from '../wine/not-shown.ts'
import { IMPOSSIBLE } from './impossible.ts'

const text = readFileSync(new URL('../../../../docs/windows.md', import.meta.url), 'utf8')

/** The rows of the table below a heading. */
function rowsBelow(heading: string): string[][] {
  const [, section = ''] = text.split(`## ${heading}\n`)
  const lines = section.split(/^## /m)[0]!.split('\n')
  const rows = lines.filter((line) => line.startsWith('|')).slice(2)
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

test('docs/windows.md lists what Wine does not show as the Wine tier skips it', () => {
  expect(rowsBelow('What Wine does not show')).toEqual(NOT_SHOWN.map(({ what, why, shownBy }) => [what, why, shownBy]))
})

test('docs/windows.md says why HTTP.SYS fails cases of the contract suite', () => {
  const reasons = rowsBelow('What differs from the broker, and why').map((row) => row[1])
  for (const reason of IMPOSSIBLE.values()) expect(reasons).toContain(reason)
})
