// One Express app on a free port. Arguments: the owner's number, and where its routes begin. Prints the port when it listens.
import { createServer } from 'node:http'
import { createHelloExpress } from './hello-express.ts'
import { listenAnywhere } from './listen-anywhere.ts'

listenAnywhere(createServer(createHelloExpress(process.argv[2] ?? '', process.argv[3] === '/:owner' ? '/:owner' : '')))
