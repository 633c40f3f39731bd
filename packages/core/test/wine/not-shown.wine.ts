import { describe, test } from 'vitest'
import { NOT_SHOWN } from './not-shown.ts'

describe('stock Wine can not show', () => {
  for (const { what, why, shownBy } of NOT_SHOWN) test.skip(`${what}: ${why} (shown by ${shownBy})`)
})
