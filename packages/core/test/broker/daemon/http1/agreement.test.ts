import { test } from 'vitest'
import { checkAgreement } from './agreement.ts'

test('the broker and node:http read the same requests from the same bytes', { timeout: 60_000 }, () =>
  checkAgreement({ numRuns: 1500, seed: 20_251_123 }),
)
