// An owner process for the tests: claims a prefix, answers, and does what it is told over IPC.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import httpsys from '@httpsys/core'

const [, , text, mode = 'create'] = process.argv
const held = []

/** One MiB that differs from place to place. */
const pattern = Buffer.alloc(1024 * 1024, Buffer.from(Array.from({ length: 251 }, (_, index) => index)))

const server = createServer((request, response) => {
  const path = request.url.slice(request.url.indexOf('/', 1))
  if (path === '/hold') return hold(response)
  if (path === '/head') {
    response.write('begun')
    return void held.push(response)
  }
  if (path === '/throw') throw new Error('thrown by the app')
  if (path === '/throw-in-data') return failWhileReading(request)
  if (path === '/exit') process.exit(3)
  if (path === '/upload') return upload(request, response)
  if (path === '/slow-upload') return slowUpload(request, response)
  if (path === '/echo') return request.pipe(response)
  // Answers before the body is there, which is then read, or left to be dropped.
  if (path === '/early' || path === '/unread') {
    response.end('answered')
    if (path === '/early') request.resume()
    return
  }
  if (path.startsWith('/download/')) return download(Number(path.slice(10)), response)
  response.setHeader('X-Pid', process.pid)
  response.end(`owner ${text} ${request.url}`)
})

function hold(response) {
  held.push(response)
  process.send({ kind: 'held' })
}

/** Takes one piece, so that the stream flows, and throws at the next. */
function failWhileReading(request) {
  request.once('data', () => {
    process.send({ kind: 'reading' })
    request.on('data', () => {
      throw new Error('thrown while reading')
    })
  })
}

function upload(request, response) {
  const hash = createHash('sha1')
  let size = 0
  request.on('data', (chunk) => {
    size += chunk.length
    hash.update(chunk)
  })
  request.on('end', () => response.end(JSON.stringify({ size, hash: hash.digest('hex') })))
}

/** Reads a little, then nothing for as long as the other test wants. */
function slowUpload(request, response) {
  request.once('data', () => {
    request.pause()
    process.send?.({ kind: 'paused' })
    process.once('message', () => upload(request, response))
  })
}

function download(mebibytes, response) {
  let left = mebibytes
  const body = new Readable({
    read() {
      this.push(left-- > 0 ? pattern : null)
    },
  })
  response.setHeader('Content-Length', mebibytes * pattern.length)
  body.pipe(response)
}

function listen() {
  server.listen(httpsys.prefix(text, { mode }))
}
server.on('listening', () => process.send?.({ kind: 'listening', ...server.address() }))
server.on('error', (error) => {
  const { code, subject, message, remedy } = error
  process.send?.({ kind: 'error', code, subject, message, remedy })
})
// A test run that is killed must not leave owners behind.
let isOnItsOwn = false
process.on('disconnect', () => {
  if (!isOnItsOwn) process.exit()
})

/** From here on the process ends by itself or not at all, which is what the test wants to see. */
function leaveAlone() {
  isOnItsOwn = true
  process.disconnect()
}

/** Listens on ports that the system picks, and asks itself there, one after the other. */
async function openPorts() {
  const failures = []
  let count = 0
  let isStopped = false
  process.once('message', () => (isStopped = true))
  while (!isStopped) {
    const own = createServer((_, response) => response.end('here'))
    try {
      await once(own.listen(httpsys.prefix('http://localhost:0/')), 'listening')
      const url = `http://localhost:${own.address().port}/`
      const response = await fetch(url, { headers: { Connection: 'close' } })
      if ((await response.text()) !== 'here') throw new Error(`status ${response.status}`)
      count++
    } catch (error) {
      failures.push(String(error.cause ?? error))
    }
    await new Promise((resolve) => own.close(resolve))
  }
  process.send({ kind: 'opened', count, failures })
}

const commands = {
  'open-ports': openPorts,
  listen,
  close: () => server.close(() => process.send?.({ kind: 'closed' })),
  release: () => {
    for (const response of held.splice(0)) response.end('released')
  },
  unref: () => {
    server.unref()
    leaveAlone()
  },
  catch: () => {
    process.on('uncaughtException', ({ message }) => process.send({ kind: 'caught', message }))
    process.send({ kind: 'catching' })
  },
  disconnect: leaveAlone,
  rss: () => process.send({ kind: 'rss', bytes: process.memoryUsage.rss() }),
}
process.on('message', (command) => commands[command]?.())
listen()
