import { expect, vi } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { NativeBackend } from '../../src/native/native-backend.ts'
import type { HttpApi } from '../../src/native/win32-api.ts'
import type { Exchange, ExchangeListener, RequestQueue } from '../../src/queue/exchange.ts'
import { freePort } from '../support/free-port.ts'
import { Machine } from './double/machine.ts'

/** The machine may do other things beside. */
export const PATIENCE = { interval: 5, timeout: 60_000 }

const nothing = (): void => {}

/** A listener that takes bodies as they come, and cancels what is over. */
export function listenerOf(
  onRequest: (exchange: Exchange) => void,
  onDisconnect: (exchange: Exchange) => void = nothing,
  onQueueLost: (queue: RequestQueue, error: Error) => void = nothing,
): ExchangeListener {
  return {
    onRequest,
    onBody: (exchange, chunk) => exchange.grantBody(chunk.length),
    onBodyEnd: nothing,
    onWritable: nothing,
    onDisconnect(exchange) {
      onDisconnect(exchange)
      exchange.cancel()
    },
    onLost: (exchange) => exchange.cancel(),
    onQueueRevoked: nothing,
    onQueueLost,
  }
}

/**
 * A backend on a machine of its own.
 *
 * @param change - puts other functions in the place of httpapi.dll's
 */
export async function scene(
  listener: ExchangeListener,
  whims: ConstructorParameters<typeof Machine>[0] = { seed: 31 },
  change: (http: HttpApi) => Partial<HttpApi> = () => ({}),
) {
  const machine = new Machine(whims)
  const windows = machine.start()
  const { api } = windows
  const backend = new NativeBackend({ load: () => ({ ...api, http: { ...api.http, ...change(api.http) } }) })
  const port = await freePort()
  const open = (path: string): Promise<RequestQueue> =>
    backend.open(UrlPrefix.parse(`http://localhost:${port}${path}`), listener)
  return {
    machine,
    windows,
    backend,
    port,
    open,
    quiet: () => vi.waitFor(() => expect(machine.inspect()).toEqual([]), PATIENCE),
    [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose](),
  }
}
