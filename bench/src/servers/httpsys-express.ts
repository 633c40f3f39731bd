// An Express app that owns a prefix on the shared port. Argument: the owner's number. Prints a line when it listens.
import httpsys from '@httpsys/express'
import { createHelloExpress } from './hello-express.ts'

const owner = process.argv[2] ?? ''
createHelloExpress(owner, '').listen(httpsys.prefix(`/${owner}/`), () => console.log('listening'))
