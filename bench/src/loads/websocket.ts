import { fileURLToPath } from 'node:url'
import { capture } from '@httpsys/core/measure'

/** What WebSocket clients do. */
export interface WebSocketTarget {
  readonly port: number
  /** One connection for each, in this order. */
  readonly paths: readonly string[]
  /** Of each message, in bytes. */
  readonly messageBytes: number
  /**
   * How many messages come back for each that is sent: 1 for an echo, the members of a room for a chat. A client of a room sends again
   * when its own message has come back.
   */
  readonly fanOut: number
  readonly seconds: number
}

/** What they saw. */
export interface WebSocketResult {
  /** Messages received. */
  readonly messages: number
  readonly seconds: number
  /** Milliseconds from sending a message to having it back. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

/**
 * Runs the clients in a process of their own.
 *
 * @throws Error with its output when anything goes wrong
 */
export async function runWebSockets(target: WebSocketTarget, cpu: number | undefined): Promise<WebSocketResult> {
  const program = fileURLToPath(new URL('./websocket-client.js', import.meta.url))
  const output = await capture(cpu, [process.execPath, program], JSON.stringify(target))
  try {
    const result = JSON.parse(output) as WebSocketResult
    if (result.messages > 0) return result
  } catch {
    // Falls through to the same message.
  }
  throw new Error(`The WebSocket clients gave no result: ${output.trim() || 'no output'}`)
}
