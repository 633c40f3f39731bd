// A Socket.IO process for the tests: claims a prefix, greets with its pid, and repeats to all of its clients what one of them says.
import { createServer } from 'node:http'
import { Server } from 'socket.io'
import httpsys from '@httpsys/core'

const path = process.argv[2]
const server = createServer()
const io = new Server(server, { path: `${path}socket.io/` })

io.on('connection', (socket) => {
  socket.emit('welcome', process.pid)
  socket.on('say', (text) => io.emit('said', `${text} in ${process.pid}`))
  socket.on('measure', (bytes, answer) => answer(bytes.length, bytes))
  socket.on('disconnect', (reason) => process.send({ kind: 'left', id: socket.id, reason }))
})
server.listen(httpsys.prefix(path), () => process.send({ kind: 'listening', port: server.address().port }))
