import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { REASONS } from '../../../src/broker/daemon/exchange/reasons.ts'
import { startBroker } from '../../support/broker-fixture.ts'

const [members = '', reasons = ''] = readFileSync(
  new URL('../../../../../docs/status.md', import.meta.url),
  'utf8',
).split('## Reasons')

/** What the first column of a table names. */
function rowsOf(text: string): string[] {
  return [...text.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1]!)
}

test('docs/status.md names every reason, and no other', () => {
  expect(rowsOf(reasons)).toEqual([...REASONS])
})

test('docs/status.md names every member of a status, and no other', async () => {
  await using fixture = await startBroker({ engineNote: 'none' })
  expect(rowsOf(members).toSorted()).toEqual(Object.keys(fixture.broker.status()).toSorted())
})
