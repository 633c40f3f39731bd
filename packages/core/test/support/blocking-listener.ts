import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { Worker } from 'node:worker_threads'

const F_GETFL = 3
const F_SETFL = 4
const O_NONBLOCK = 0o4000
/** How long a thread that waits in a call of such a socket waits. */
export const RESCUE_MS = 3000

const RESCUE = `
  const { descriptor, flags, port, after } = require('node:worker_threads').workerData
  setTimeout(() => {
    require('koffi').load(null).func('int fcntl(int fd, int command, ...)')(descriptor, ${F_SETFL}, 'int', flags)
    require('node:net').connect(port, '127.0.0.1').resume()
  }, after)`

/**
 * Milliseconds that something takes while a socket that listens is set to block, as any process can that has it, too.
 *
 * A thread that waits for a client in a call gets one after {@link RESCUE_MS}.
 */
export async function timeWhileBlocking(descriptor: number, port: number, use: () => Promise<void>): Promise<number> {
  const { default: koffi } = await import('koffi')
  const fcntl = koffi.load(null).func('int fcntl(int fd, int command, ...)')
  const flags = fcntl(descriptor, F_GETFL, 'int', 0) as number
  fcntl(descriptor, F_SETFL, 'int', flags & ~O_NONBLOCK)
  const workerData = { descriptor, flags: flags | O_NONBLOCK, port, after: RESCUE_MS }
  const rescuer = new Worker(RESCUE, { eval: true, workerData })
  try {
    const start = performance.now()
    await use()
    return performance.now() - start
  } finally {
    await rescuer.terminate()
    fcntl(descriptor, F_SETFL, 'int', flags)
  }
}

/** The descriptors of this process's sockets that listen on a port of IPv4. */
export function listeningDescriptors(port: number): number[] {
  const inodes = new Set<string>()
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/)
    if (state === '0A' && Number.parseInt(local.split(':')[1]!, 16) === port) inodes.add(`socket:[${inode}]`)
  }
  return readdirSync('/proc/self/fd')
    .filter((descriptor) => inodes.has(targetOf(descriptor)))
    .map(Number)
}

function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return '' // The one that the directory was read by.
  }
}
