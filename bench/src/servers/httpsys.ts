// One owner of a prefix on the shared port. Argument: the owner's number. Prints a line when it listens.
import { createServer } from 'node:http'
import httpsys from '@httpsys/core'
import { createHello } from './hello.ts'

const owner = process.argv[2] ?? ''
createServer(createHello(owner)).listen(httpsys.prefix(`/${owner}/`), () => console.log('listening'))
