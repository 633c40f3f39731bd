import { win32Error } from './check.ts'
import { ERROR_MORE_DATA, ERROR_NOT_FOUND, ERROR_SUCCESS } from './constants.ts'
import type { IoContext } from './io-context.ts'
import { HTTP_SSL_CLIENT_CERT_INFO } from './layout.ts'
import { MemoryBlock } from './memory-block.ts'
import type { CompletionTarget } from './overlapped.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import { readCertificate } from './tls-facts.ts'
import type { ClientCertificate } from './tls-facts.ts'
import type { Win32Status } from './win32-api.ts'

/** Most certificates; what is longer is asked for again. */
const FIRST_BYTES = HTTP_SSL_CLIENT_CERT_INFO.$size + 4096
/** A broken number is not believed. */
const MAX_BYTES = 1024 * 1024

/**
 * Asks the client of a connection for its certificate: TLS is negotiated anew, while a request of it waits for its response.
 *
 * @returns null when the client shows none
 * @throws HttpSysError `ECONNRESET` when the client goes away meanwhile, and others
 */
export async function receiveClientCertificate(
  io: IoContext,
  queue: RequestQueueHandle,
  connection: bigint,
): Promise<ClientCertificate | null> {
  // The exchange that asked may be over before the client has answered.
  io.port.hold()
  try {
    for (let size = FIRST_BYTES; ;) {
      const receive = new CertificateReceive(io, queue, connection, size)
      try {
        const { status, bytes } = await receive.outcome
        if (status === ERROR_SUCCESS) return readCertificate(receive.block, 0)
        if (status === ERROR_NOT_FOUND) return null
        // HTTP.SYS counts the struct alone, whatever the documentation says, or both: with room for more it is content.
        const wanted = bytes + sizeOf(receive.block)
        if (status !== ERROR_MORE_DATA || wanted <= size || wanted > MAX_BYTES)
          throw win32Error('HttpReceiveClientCertificate', status, queue.name)
        size = wanted
      } finally {
        // SAFETY: the outcome is there, so Windows is done with the block.
        receive.block.free()
      }
    }
  } finally {
    io.port.release()
  }
}

/** How long a certificate is that did not fit. */
function sizeOf({ u32 }: MemoryBlock): number {
  // SAFETY: Windows has filled the struct, which the block begins with, and is done with it.
  return u32[HTTP_SSL_CLIENT_CERT_INFO.CertEncodedSize >>> 2]!
}

/** One call of HttpReceiveClientCertificate. */
class CertificateReceive implements CompletionTarget {
  readonly block: MemoryBlock
  readonly outcome: Promise<{ status: Win32Status; bytes: number }>
  #resolve!: (outcome: { status: Win32Status; bytes: number }) => void

  constructor({ api, port }: IoContext, queue: RequestQueueHandle, connection: bigint, size: number) {
    this.block = new MemoryBlock(api.memory, size)
    this.outcome = new Promise((resolve) => (this.#resolve = resolve))
    const overlapped = port.begin(this)
    // SAFETY: the block is freed by whoever has seen the outcome, which is there after the completion or when the call was done at
    // once; the OVERLAPPED belongs to Windows until then.
    const status = api.http.HttpReceiveClientCertificate(
      queue.handle,
      connection,
      0,
      this.block.address,
      size,
      overlapped.pBytes,
      overlapped.address,
    )
    if (queue.isPending(status)) return
    const bytes = overlapped.bytesAtOnce
    port.endAtOnce(overlapped)
    this.#resolve({ status, bytes })
  }

  onCompletion(status: Win32Status, bytes: number): void {
    this.#resolve({ status, bytes })
  }
}
