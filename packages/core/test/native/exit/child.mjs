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

const api = blockingWindows()
if (process.argv[3] === 'deaf') api.kernel.PostQueuedCompletionStatus = () => 1
const backend = new NativeBackend({ load: () => api })
const queue = await backend.open(UrlPrefix.parse('http://localhost:8080/x/'), listener)
process.stdout.write(`${backend.inFlight} receives outstanding\n`)
setImmediate(() => void ENDS[process.argv[2]](queue))
