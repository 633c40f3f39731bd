import { test } from 'vitest'
import type { Delivery } from '../../../src/broker/rings/delivery.ts'
import { hasSharedMemory } from '../../../src/sockets/shared-memory.ts'
import { checkHostilePeers } from './hostile-peers.ts'

const seconds = Number(process.env['FUZZ_SECONDS'] ?? 10)

const deliveries: Delivery[] = hasSharedMemory() ? ['sockets', 'rings'] : ['sockets']

test.each(deliveries)(
  'a process that speaks the protocol badly over %s costs nobody else anything',
  { timeout: (seconds + 60) * 1000 },
  (delivery) =>
    checkHostilePeers({ numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: seconds * 1000 }, delivery),
)
