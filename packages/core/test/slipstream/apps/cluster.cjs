// Two workers behind one port.
const cluster = require('node:cluster')
const http = require('node:http')

if (cluster.isPrimary) {
  let listening = 0
  for (let index = 0; index < 2; index++) cluster.fork()
  cluster.on('message', () => ++listening === 2 && console.log('ready'))
} else {
  const server = http.createServer((_request, response) => response.end(`worker ${cluster.worker.id}`))
  server.listen(3000, () => process.send('listening'))
}
