import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { pinned } from '@httpsys/core/measure'

/** Connections that have asked once and are kept; {@link close} ends them. */
export interface IdleConnections {
  close(): Promise<void>
}

/**
 * Opens keep-alive connections from a process of their own, asks for a path on each, and leaves them idle.
 *
 * @throws Error when one of them fails or gets no 200
 */
export async function openIdleConnections(
  port: number,
  paths: readonly string[],
  count: number,
  cpu: number | undefined,
): Promise<IdleConnections> {
  const script = fileURLToPath(new URL('./idle-client.js', import.meta.url))
  const [program, ...args] = pinned(cpu, [process.execPath, script, JSON.stringify({ port, paths, count })])
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const said = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line)),
    ended.then(() => 'the client process ended'),
  ])
  if (said !== 'open') throw new Error(`No ${count} idle connections: ${said}`)
  return {
    close: async () => {
      child.stdin.end()
      await ended
    },
  }
}
