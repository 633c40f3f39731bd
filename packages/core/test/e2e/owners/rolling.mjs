// An owner that ends when another process takes its prefix over, or on SIGTERM, with nothing lost.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import httpsys from '@httpsys/core'
import { WebSocketServer } from 'ws'

const [, , text, mode] = process.argv

const server = createServer((request, response) => {
  response.setHeader('X-Pid', process.pid)
  if (request.method === 'GET') return void response.end(`owner ${text} ${request.url}`)
  const hash = createHash('sha1')
  request.on('data', (chunk) => hash.update(chunk))
  request.on('end', () => response.end(hash.digest('hex')))
})
const sockets = new WebSocketServer({ server })
sockets.on('connection', (socket) => {
  socket.on('message', (/** @type {Buffer} */ data) => socket.send(`${process.pid} ${data.toString()}`))
})

function leave() {
  for (const socket of sockets.clients) socket.close(1012)
  httpsys.retire(server)
}
server.on('drain', () => {
  process.send({ kind: 'drain' })
  leave()
})
server.on('listening', () => process.send({ kind: 'listening', ...server.address() }))
// Nothing else keeps the process: it ends when the last answer is out.
server.on('close', () => process.disconnect())
process.on('SIGTERM', leave)
// A test run that is killed must not leave owners behind.
const orphaned = () => process.exit()
process.on('disconnect', orphaned)
server.on('close', () => process.off('disconnect', orphaned))

const listen = () => server.listen(httpsys.prefix(text, { mode }))
if (mode === 'takeover') {
  process.once('message', listen)
  process.send({ kind: 'started' })
} else listen()
