// The server is in a worker thread; SIGUSR2 ends the thread, and the process goes on.
import { createServer } from 'node:http'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url))
  worker.once('message', () => console.log('ready'))
  process.on('SIGTERM', () => process.exit(0))
  process.on('SIGUSR2', () => {
    setInterval(() => {}, 60_000)
    void worker.terminate()
  })
} else {
  createServer((request, response) => response.end(`thread ${request.url}`)).listen(process.env.PORT ?? 3000, () =>
    parentPort.postMessage('listening'),
  )
}
