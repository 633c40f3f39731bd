import { test } from 'vitest'
import { checkHostilePeers } from './hostile-peers.ts'

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 10)

test('a process that speaks the protocol badly costs nobody else anything', { timeout: (seconds + 60) * 1000 }, () =>
  checkHostilePeers({ numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: seconds * 1000 }),
)
