// One node:http server on a free port. Argument: the owner's number. Prints the port when it listens.
import { createServer } from 'node:http'
import { createHello } from './hello.ts'
import { listenAnywhere } from './listen-anywhere.ts'

listenAnywhere(createServer(createHello(process.argv[2] ?? '')))
