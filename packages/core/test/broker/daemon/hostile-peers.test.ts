import { test } from 'vitest'
import { checkHostilePeers } from './hostile-peers.ts'

test('a process that speaks the protocol badly costs nobody else anything', () => checkHostilePeers({ numRuns: 100 }))
