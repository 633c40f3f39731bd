import { check } from './check.ts'
import { HTTPAPI_VERSION_2, HTTP_INITIALIZE_SERVER } from './constants.ts'
import { MemoryBlock } from './memory-block.ts'
import type { OpaqueId, Win32Api } from './win32-api.ts'

const SUBJECT = 'the server session'

/** The HTTP Server API in this process, and the one server session in it: what the URL groups belong to. Lives as long as the process. */
export class ServerSession {
  readonly id: OpaqueId

  constructor({ http, memory }: Win32Api) {
    check('HttpInitialize', http.HttpInitialize(HTTPAPI_VERSION_2, HTTP_INITIALIZE_SERVER, 0), SUBJECT)
    const out = new MemoryBlock(memory, 16)
    // SAFETY: eight bytes are written before the call returns.
    const status = http.HttpCreateServerSession(HTTPAPI_VERSION_2, out.address, 0)
    this.id = out.readId(0)
    out.free()
    check('HttpCreateServerSession', status, SUBJECT)
  }
}
