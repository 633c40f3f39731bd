// An app that knows nothing of prefixes: ESM, two ports, one of them TLS.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'

const plain = createServer((request, response) => response.end(`plain ${request.url}`))
const tls = createTlsServer({}, (request, response) => response.end(`tls ${request.url} ${request.socket.encrypted}`))
plain.listen({ port: 3000 }, () =>
  tls.listen(3001, () => console.log('ready', readFileSync(import.meta.filename).length > 0)),
)
process.on('SIGTERM', () => {
  plain.close()
  tls.close()
})
