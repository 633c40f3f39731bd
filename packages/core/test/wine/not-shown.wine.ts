import { describe, expect, test } from 'vitest'
import { NODE_MAJORS } from '../../../../tools/wine/directory.ts'
import { NOT_SHOWN } from './not-shown.ts'
import { WineSite } from './wine-site.ts'

describe('stock Wine can not show', () => {
  for (const { what, why, shownBy } of NOT_SHOWN) test.skip(`${what}: ${why} (shown by ${shownBy})`)
})

test('stock Wine still lacks what the list says, where a call can tell', async () => {
  await using site = await WineSite.open(NODE_MAJORS[0])
  const statuses = await site.start('owners/lacks.mjs', [`http://+:${site.port}`]).next('statuses')
  // Red when Wine has learnt it: then the list gets shorter, and the tests more.
  expect(statuses).toEqual({
    kind: 'statuses',
    // Windows: 0
    'a second URL in one URL group': 120,
    // Windows: 183
    'a second queue of one name': 0,
    // Windows: 2
    'opening a queue that nobody has made': 0,
    // Windows: 0
    'the length of a queue': 120,
  })
})
