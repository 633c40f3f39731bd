// One process of several: counts its visitors in its own memory, and tells every open page of it (server-sent events).
import { createServer } from 'node:http'
import httpsys from '@httpsys/core'
import { page } from './page.js'

const [, , prefix] = process.argv
const pages = new Set()
let visits = 0

const server = createServer((request, response) => {
  const path = request.url.slice(prefix.length - 1).split('?')[0]
  if (path === '/') return visit(response)
  if (path === '/events') return follow(response)
  response.writeHead(404).end('nothing here\n')
})

function visit(response) {
  visits++
  for (const open of pages) tell(open)
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.end(page(prefix))
}

function follow(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  pages.add(response)
  response.on('close', () => pages.delete(response))
  tell(response)
}

function tell(response) {
  response.write(`data: ${JSON.stringify({ pid: process.pid, visits })}\n\n`)
}

server.listen(httpsys.prefix(prefix), () => console.log(`ready: http://localhost:${server.address().port}${prefix}`))
// What is under way is finished, the endless answers are ended; what comes meanwhile waits for the next process.
function leave() {
  for (const open of pages) open.end()
  httpsys.retire(server)
}
process.on('SIGTERM', leave)
// With HTTPSYS_MODE=takeover the next process comes before this one leaves.
server.on('drain', leave)
