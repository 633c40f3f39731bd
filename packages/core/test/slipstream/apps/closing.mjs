// Closes with the request for /close under way; what comes later over its connection is served.
import { createServer } from 'node:http'

const server = createServer((request, response) => {
  if (request.url !== '/close') return response.end(`<${request.url}>`)
  server.close(() => console.log('closed'))
  process.once('SIGUSR2', () => response.end('<last>'))
  console.log('closing')
})
server.keepAliveTimeout = 0
server.listen(process.env.PORT, () => console.log('ready'))
