import { describe, expect, test, vi } from 'vitest'
import { NativeBackend } from '../../src/native/native-backend.ts'
import { queueContract } from '../../src/queue/contract.ts'
import { freePort } from '../support/free-port.ts'
import { WireClient } from '../support/wire-client.ts'
import { Machine } from './double/machine.ts'
import type { Whims } from './double/whims.ts'
import { IMPOSSIBLE } from './impossible.ts'

// Every backend asks to be woken when its process ends; here are many in one.
process.setMaxListeners(0)

const WINDOWS: Record<string, Partial<Whims>> = {
  'where calls are done at once': { atOnce: 1, shuffles: false },
  'where calls are done later, and completions come in any order': { atOnce: 0, seed: 2 },
  'where both happens': { seed: 3 },
  'without what came after Windows 8': { isRecent: false, hasTrailers: false, seed: 4 },
  'that completes what was done at once a second time': { atOnce: 1, postsAnyway: true, seed: 5 },
  'that tells the end of a body by no bytes': { endsWithNothing: true, seed: 7 },
  'that can not be told to spare such completions': { atOnce: 0.7, canSkip: false, seed: 6 },
}

describe.each(Object.entries(WINDOWS))('the native backend on a double of httpapi.dll %s', (_, whims) => {
  for (const { name, run } of queueContract) {
    const reason = IMPOSSIBLE.get(name)
    if (reason !== undefined) {
      test.skip(`${name}: ${reason}`)
      continue
    }
    test(name, async () => {
      await using machine = new Machine(whims)
      const backend = new NativeBackend({ load: () => machine.start().api })
      const port = await freePort()
      await run({
        open: backend.open,
        base: `http://localhost:${port}`,
        send: (request) => WireClient.send(port, request),
      })
      // The last response may still be on its way when the client has it.
      await vi.waitFor(() => expect(machine.inspect()).toEqual([]), { interval: 5, timeout: 60_000 })
    })
  }
})
