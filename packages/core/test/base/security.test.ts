import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const tests = new URL('../', import.meta.url)
const text = readFileSync(new URL('../../../../SECURITY.md', import.meta.url), 'utf8')

test('every defence in SECURITY.md names a test that exists', () => {
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| (?:-|Attack)/.test(line))
  expect(rows.length).toBeGreaterThan(15)
  const missing = rows.filter((row) => {
    const named = [...row.matchAll(/`([\w/.-]+\.test\.ts)`/g)].map((match) => match[1]!)
    return named.length === 0 || !named.every((name) => existsSync(new URL(name, tests)))
  })
  expect(missing).toEqual([])
})
