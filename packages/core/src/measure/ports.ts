import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const OPEN_TIMEOUT_MS = 10_000
const POLL_MS = 20

/** A loopback port that was free a moment ago, for servers which must be told their port. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Waits until a loopback port takes connections. */
export async function portOpens(port: number, signal?: AbortSignal): Promise<void> {
  const deadline = Date.now() + OPEN_TIMEOUT_MS
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
    } finally {
      socket.destroy()
    }
    await delay(POLL_MS, undefined, { signal })
  }
}
