import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** Below those that Linux (32768 on), macOS and Windows (49152 on) give to clients: no connection takes one before its server does. */
const FIRST_PORT = 12_000
const END_OF_PORTS = 32_768

/** A port that nobody has, at any address, for who can't pick one itself: HTTP.SYS, and programs that are told theirs. */
export async function freePort(): Promise<number> {
  const used = portsInUse()
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (END_OF_PORTS - FIRST_PORT))
    if (!used.has(port) && (await canListen(port))) return port
  }
}

async function canListen(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen(port), 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}

/** With connections that have just ended: Node listens beside these, not everybody does. */
function portsInUse(): Set<number> {
  const ports = new Set<number>()
  if (process.platform !== 'linux') return ports
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const [, port] of readFileSync(table, 'latin1').matchAll(/^ *\d+: [\dA-F]+:([\dA-F]{4}) /gm)) {
      ports.add(Number.parseInt(port!, 16))
    }
  }
  return ports
}
