import { describe, test } from 'vitest'
import { nativeBackend } from '../../src/native/open-native-queue.ts'
import { queueContract } from '../../src/queue/contract.ts'
import { freePort } from '../support/free-port.ts'
import { WireClient } from '../support/wire-client.ts'
import { IMPOSSIBLE } from './impossible.ts'

// On Windows only: the contract suite that the broker and the double of httpapi.dll pass, on HTTP.SYS itself.
describe('the native backend on HTTP.SYS', () => {
  for (const { name, run } of queueContract) {
    const reason = IMPOSSIBLE.get(name)
    if (reason !== undefined) {
      test.skip(`${name}: ${reason}`)
      continue
    }
    test(name, async () => {
      const port = await freePort()
      await run({
        open: nativeBackend.open,
        base: `http://localhost:${port}`,
        send: (request) => WireClient.send(port, request),
      })
    })
  }
})
