// A thread that is terminated when it has bound its port, and nobody else knows of it yet; the process goes on.
import { createServer } from 'node:http'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'

if (isMainThread) {
  setInterval(() => {}, 60_000)
  const worker = new Worker(new URL(import.meta.url))
  worker.once('message', () => void worker.terminate().then(() => console.log('ready')))
} else {
  createServer().listen(process.env.PORT)
  parentPort.postMessage('bound')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
