// A Fastify app with a schema and a WebSocket; several of them share one port.
import websocket from '@fastify/websocket'
import httpsys from '@httpsys/fastify'
import fastify from 'fastify'

const [, , prefix] = process.argv
const scores = new Map()
const app = fastify()
await app.register(websocket)

const schema = {
  body: {
    type: 'object',
    required: ['player', 'points'],
    properties: { player: { type: 'string', minLength: 1 }, points: { type: 'integer' } },
  },
}

app.post('/scores', { schema }, (request) => {
  const { player, points } = request.body
  scores.set(player, (scores.get(player) ?? 0) + points)
  for (const client of app.websocketServer.clients) client.send(JSON.stringify({ player, points: scores.get(player) }))
  return { player, points: scores.get(player) }
})
app.get('/scores', () => ({ process: process.pid, scores: Object.fromEntries(scores) }))
app.get('/live', { websocket: true }, (socket) => socket.send(JSON.stringify({ process: process.pid })))

// What is under way is finished; what comes meanwhile waits for the next process.
process.on('SIGTERM', () => httpsys.retire(app))
// With HTTPSYS_MODE=takeover the next process comes before this one leaves.
app.server.on('drain', () => void app.close())
await app.listen(httpsys.prefix(prefix))
console.log(`ready: http://localhost:${app.server.address().port}${prefix}scores`)
