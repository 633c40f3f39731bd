// One owner of many prefixes, `/p/M/` to `/p/M+N-1/`. Arguments: M and N. Prints the milliseconds that it took to claim them.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import httpsys from '@httpsys/core'
import { createHello } from '../apps/hello.ts'

const [first = 0, count = 0] = process.argv.slice(2).map(Number)
/** Claimed at once; each waits for the broker's answer. */
const BATCH = 1_000
const handle = createHello('')

// The broker is there and the code is loaded before the time is taken.
const warm = await claim('/warm/')
await new Promise((resolve) => warm.close(resolve))
const started = performance.now()
for (let done = 0; done < count; done += BATCH) {
  const size = Math.min(BATCH, count - done)
  await Promise.all(Array.from({ length: size }, (_, index) => claim(`/p/${first + done + index}/`)))
}
console.log(performance.now() - started)

async function claim(path: string): Promise<Server> {
  const server = createServer(handle)
  await once(server.listen(httpsys.prefix(path)), 'listening')
  return server
}
