import { brokerBackend } from './broker/client/open-broker-queue.ts'
import type { OpenQueue, QueueBackend } from './queue/exchange.ts'

/** Of Windows alone, so nothing of it is loaded elsewhere, nor before a server listens on a prefix. */
const openNativeQueue: OpenQueue = async (prefix, listener) => {
  const { nativeBackend } = await import('./native/open-native-queue.ts')
  return nativeBackend.open(prefix, listener)
}

/**
 * The backend of this system: HTTP.SYS on Windows, elsewhere the broker. Chosen here and nowhere else.
 *
 * On Windows the broker's modules are imported, since `reserve` has to answer at once elsewhere, but do nothing: the C library is
 * loaded when it is first needed.
 */
export const platformBackend: QueueBackend =
  process.platform === 'win32' ? { open: openNativeQueue, reserve: () => undefined } : brokerBackend
