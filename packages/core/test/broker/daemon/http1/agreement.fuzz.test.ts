import { test } from 'vitest'
import { checkAgreement } from './agreement.ts'

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 10)

test('the broker and node:http read the same requests from the same bytes', { timeout: (seconds + 60) * 1000 }, () =>
  checkAgreement({ numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: seconds * 1000 }),
)
