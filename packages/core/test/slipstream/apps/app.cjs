// An app that knows nothing of prefixes: CommonJS, one port.
const http = require('node:http')

const server = http.createServer((request, response) => response.end(`cjs ${request.url} ${request.originalUrl ?? ''}`))
server.listen(process.env.PORT ?? 3000, () => console.log('ready'))
process.on('SIGTERM', () => server.close())
