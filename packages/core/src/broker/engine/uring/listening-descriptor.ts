import { SOCK_STREAM, lastError } from '../../../sockets/libc.ts'
import type { Libc } from '../../../sockets/libc.ts'
import { BACKLOG, openListeningSocket } from '../../../sockets/listening-socket.ts'
import type { Endpoint } from '../engine.ts'

const AF_UNIX = 1
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
/** `struct sockaddr_un { u16 sun_family; char sun_path[108]; }` */
const LOCAL_ADDRESS_BYTES = 110
const PATH_OFFSET = 2
const MAX_PATH_BYTES = 107

const ONE = Buffer.from(Int32Array.of(1).buffer)

/**
 * A descriptor that listens, which belongs to the caller.
 *
 * @throws Node's errors: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, …
 */
export function openListeningDescriptor(libc: Libc, endpoint: Endpoint): number {
  switch (endpoint.kind) {
    case 'tcp':
      return withoutDelay(libc, openListeningSocket(libc, endpoint, BACKLOG).descriptor)
    case 'local':
      return openLocal(libc, endpoint.path)
    case 'descriptor':
      libc.setCloseOnExec(endpoint.descriptor)
      if (libc.listen(endpoint.descriptor, BACKLOG) < 0) throw lastError('listen')
      return withoutDelay(libc, endpoint.descriptor)
  }
}

/** What is accepted inherits the option. */
function withoutDelay(libc: Libc, descriptor: number): number {
  libc.setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, ONE, ONE.length)
  return descriptor
}

function openLocal(libc: Libc, path: string): number {
  const name = Buffer.from(path)
  if (name.length > MAX_PATH_BYTES) {
    throw Object.assign(new Error(`bind EINVAL ${path}`), { code: 'EINVAL', syscall: 'bind' })
  }
  const address = Buffer.alloc(LOCAL_ADDRESS_BYTES)
  address.writeUInt16LE(AF_UNIX, 0)
  name.copy(address, PATH_OFFSET)
  const descriptor = libc.socket(AF_UNIX, SOCK_STREAM, 0)
  if (descriptor < 0) throw lastError('socket')
  const check = (syscall: string, result: number): void => {
    if (result < 0) throw lastError(syscall)
  }
  try {
    check('fcntl', libc.setCloseOnExec(descriptor))
    check('bind', libc.bind(descriptor, address, address.length))
    check('listen', libc.listen(descriptor, BACKLOG))
    return descriptor
  } catch (error) {
    libc.close(descriptor)
    throw error
  }
}
