// One owner of many prefixes, `/p/0/` to `/p/N-1/`. Argument: how many. Prints the milliseconds that it took to claim them.
import { once } from 'node:events'
import { createServer } from 'node:http'
import httpsys from '@httpsys/core'
import { createHello } from '../apps/hello.ts'

const count = Number(process.argv[2])
/** Claimed at once; each waits for the broker's answer. */
const BATCH = 1_000
const handle = createHello('')

// The broker is there and the code is loaded before the time is taken.
await claim('/warm/')
const started = performance.now()
for (let done = 0; done < count; done += BATCH) {
  const size = Math.min(BATCH, count - done)
  await Promise.all(Array.from({ length: size }, (_, index) => claim(`/p/${done + index}/`)))
}
console.log(performance.now() - started)

async function claim(path: string): Promise<void> {
  await once(createServer(handle).listen(httpsys.prefix(path)), 'listening')
}
