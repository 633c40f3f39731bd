// Breaks a client off that has three requests under way, none of which has been answered, and closes: nothing is left to wait for.
import { createServer } from 'node:http'
import { connect } from 'node:net'

let requests = 0
const server = createServer((request) => {
  if (++requests < 3) return
  request.socket.destroy()
  server.close()
})
server.listen(0, '127.0.0.1', () => {
  const client = connect(server.address().port, '127.0.0.1', () => {
    client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(3))
  })
  client.on('error', () => {})
  client.on('close', () => console.log('ready'))
})
