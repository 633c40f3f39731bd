// A worker thread that serves, and ends in a way that the test names; then the main thread claims its prefix: worker.mjs PREFIX WAY
import { createServer } from 'node:http'
import { Worker, isMainThread, parentPort } from 'node:worker_threads'
import httpsys from '@httpsys/core'

const [prefix, way] = process.argv.slice(2)
if (isMainThread) await watch()
else {
  const server = createServer((_request, response) => response.end('the thread'))
  server.listen(httpsys.prefix(prefix), () => parentPort.postMessage('listening'))
  parentPort.once('message', () => process.exit())
}

async function watch() {
  const { obey, tell } = await import('./control.mjs')
  const worker = new Worker(new URL(import.meta.url), { argv: [prefix, way] })
  worker.once('message', () => tell('listening'))
  worker.once('exit', () => {
    if (way === 'terminate') return tell('ended')
    createServer((_request, response) => response.end('the process'))
      .on('error', ({ message }) => tell('ended', { message }))
      .listen(httpsys.prefix(prefix), () => tell('ended'))
  })
  obey({
    end: () => void (way === 'terminate' ? worker.terminate() : worker.postMessage('end')),
    exit: () => process.exit(0),
  })
}
