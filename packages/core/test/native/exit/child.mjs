import { writeSync } from 'node:fs'
import { Worker, isMainThread } from 'node:worker_threads'
import { UrlPrefix } from '../../../dist/index.js'
import { NativeBackend } from '../../../dist/native/native-backend.js'
import { blockingWindows } from './blocking-windows.mjs'

const nothing = () => {}
const listener = {
  onRequest: nothing,
  onBody: nothing,
  onBodyEnd: nothing,
  onWritable: nothing,
  onDisconnect: nothing,
  onLost: nothing,
  onConnectionClosed: nothing,
  onQueueRevoked: nothing,
  onQueueLost: nothing,
}
const ENDS = {
  'process.exit': () => process.exit(3),
  'an exception': () => {
    throw new Error('on purpose')
  },
  'a rejection': () => Promise.reject(new Error('on purpose')),
  'a signal': () => process.kill(process.pid, 'SIGTERM'),
  shutdown: (queue) => queue.shutdown(),
  unref: (queue) => queue.setRef(false),
  nothing,
}

if (process.argv[3] === 'worker' && isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
  worker.on('error', nothing)
  worker.on('exit', (code) => writeSync(1, `the thread ended with ${code}\n`))
} else await serve()

async function serve() {
  const api = blockingWindows()
  if (process.argv[3] === 'deaf') api.kernel.PostQueuedCompletionStatus = () => 1
  const backend = new NativeBackend({ load: () => api })
  if (!isMainThread) process.once('exit', () => leave(api, backend))
  const queue = await backend.open(UrlPrefix.parse('http://localhost:8080/x/'), listener)
  writeSync(1, `${backend.inFlight} receives outstanding\n`)
  setImmediate(() => void ENDS[process.argv[2]](queue))
}

/** What `open-native-queue.ts` does, and what Windows sees of it. */
function leave({ http }, backend) {
  const counts = { HttpRemoveUrlFromUrlGroup: 0, HttpCloseRequestQueue: 0, HttpCloseUrlGroup: 0 }
  for (const name of Object.keys(counts)) http[name] = () => counts[name]++ && 0
  backend.abandon()
  const [urls, queues, groups] = Object.values(counts)
  writeSync(1, `removed ${urls} URLs, closed ${queues} queues, ${groups} groups\n`)
}
