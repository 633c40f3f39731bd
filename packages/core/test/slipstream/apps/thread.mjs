// The server is in a worker thread.
import { createServer } from 'node:http'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url))
  worker.once('message', () => console.log('ready'))
  process.on('SIGTERM', () => process.exit(0))
} else {
  createServer((request, response) => response.end(`thread ${request.url}`)).listen(3000, () =>
    parentPort.postMessage('listening'),
  )
}
