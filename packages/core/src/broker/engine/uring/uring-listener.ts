import { unlinkSync } from 'node:fs'
import type { Divert, EngineConnection, EngineListener } from '../engine.ts'
import {
  EAGAIN,
  ECANCELED,
  EINVAL,
  EINTR,
  ECONNABORTED,
  IORING_ACCEPT_MULTISHOT,
  IORING_CQE_F_MORE,
  IORING_OP_ACCEPT,
  IORING_OP_ASYNC_CANCEL,
  IORING_OP_POLL_ADD,
  IOSQE_CQE_SKIP_SUCCESS,
  POLLIN,
  SOCK_CLOEXEC,
  SQE_ADDRESS_LOW,
  SQE_OPERATION_FLAGS,
} from './kernel.ts'
import { ACCEPT, CLOSE, POLL } from './reactor.ts'
import type { Operator, Reactor } from './reactor.ts'
import { ownAddress, peerAddress } from './socket-addresses.ts'
import type { SocketAddress } from './socket-addresses.ts'
import { UringConnection } from './uring-connection.ts'

const CANCEL_QUIETLY = IORING_OP_ASYNC_CANCEL | (IOSQE_CQE_SKIP_SUCCESS << 8)
const ACCEPT_MULTISHOT = IORING_OP_ACCEPT | (IORING_ACCEPT_MULTISHOT << 16)

/** Without descriptors or memory connections wait in the kernel; how long until the next try. */
const RETRY_MS = 100

/**
 * A listening socket on the ring.
 *
 * For a socket that another process has set not to block, which may still accept from it too, the ring does not wait: it is polled, and
 * accepted from when somebody has come. By the ring only, since that process may set it to block at any time, and a call would do so.
 *
 * accepting ──close──▶ closing ──nothing under way──▶ closed
 */
export class UringListener implements EngineListener, Operator {
  readonly address: string
  readonly port: number
  #descriptor: number
  readonly #path: string | undefined
  readonly #reactor: Reactor
  readonly #slot: number
  readonly #onConnection: (connection: EngineConnection) => void
  readonly #divert: Divert | undefined
  #operation = ACCEPT
  #isArmed = false
  #timer: NodeJS.Timeout | undefined
  #closed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  #hasMultishot = true

  /** @param path - of a local socket, which is removed with the listener */
  constructor(
    reactor: Reactor,
    descriptor: number,
    path: string | undefined,
    onConnection: (connection: EngineConnection) => void,
    divert?: Divert,
  ) {
    this.#reactor = reactor
    this.#descriptor = descriptor
    this.#path = path
    this.#onConnection = onConnection
    this.#divert = divert
    const { address, port } = ownAddress(reactor.calls, descriptor)
    this.address = address
    this.port = port
    this.#slot = reactor.enter(this)
    this.#arm()
  }

  get descriptor(): number {
    return this.#descriptor
  }

  close(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed.promise
    let resolve = (): void => {}
    const promise = new Promise<void>((settle) => (resolve = settle))
    this.#closed = { promise, resolve }
    clearTimeout(this.#timer)
    if (this.#path !== undefined) remove(this.#path)
    if (this.#isArmed) {
      const at = this.#reactor.prepareForNobody(CANCEL_QUIETLY, -1)
      this.#reactor.ring.entries[at + SQE_ADDRESS_LOW] = this.#reactor.userOf(this.#operation, this.#slot)
    }
    this.#reactor.close(this.#descriptor, this.#slot)
    return promise
  }

  onResult(operation: number, result: number, flags: number): void {
    if (operation === CLOSE) this.#descriptor = -1
    else {
      if ((flags & IORING_CQE_F_MORE) === 0) this.#isArmed = false
      if (result < 0) this.#onFailure(-result)
      else if (operation === ACCEPT) this.#onAccepted(result)
      else this.#operation = ACCEPT
    }
    if (this.#closed === undefined) this.#arm()
    else if (this.#descriptor === -1 && !this.#isArmed) {
      this.#reactor.leave(this.#slot)
      this.#closed.resolve()
    }
  }

  #arm(): void {
    if (this.#isArmed || this.#timer !== undefined) return
    this.#isArmed = true
    const { entries } = this.#reactor.ring
    if (this.#operation === POLL) {
      const at = this.#reactor.prepare(IORING_OP_POLL_ADD, this.#descriptor, POLL, this.#slot)
      entries[at + SQE_OPERATION_FLAGS] = POLLIN
      return
    }
    const head = this.#hasMultishot ? ACCEPT_MULTISHOT : IORING_OP_ACCEPT
    const at = this.#reactor.prepare(head, this.#descriptor, ACCEPT, this.#slot)
    entries[at + SQE_OPERATION_FLAGS] = SOCK_CLOEXEC
  }

  #onFailure(errno: number): void {
    switch (errno) {
      case ECANCELED:
        return
      case EAGAIN:
        this.#operation = POLL
        return
      case EINTR:
      case ECONNABORTED:
        // A client that had gone before it was accepted.
        return
      case EINVAL:
        if (!this.#hasMultishot) return this.#tryLater()
        this.#hasMultishot = false
        return
      default:
        // EMFILE, ENFILE, ENOBUFS, ENOMEM; whatever else it may be, trying again at once would only burn time.
        this.#tryLater()
    }
  }

  #tryLater(): void {
    if (this.#closed !== undefined || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#arm()
    }, RETRY_MS)
  }

  #onAccepted(descriptor: number): void {
    if (this.#divert?.(descriptor, this.port) === true) return
    // Also one that was inherited, whose path is not known here.
    const connection = connectionOf(this.#reactor, descriptor, this.address === '')
    this.#onConnection(connection)
    connection.start()
  }
}

/** A connection that has been accepted; it begins to read when it is started. */
export function connectionOf(reactor: Reactor, descriptor: number, isLocal: boolean): UringConnection {
  const local = isLocal ? NO_ADDRESS : ownAddress(reactor.calls, descriptor)
  const remote = isLocal ? NO_ADDRESS : peerAddress(reactor.calls, descriptor)
  return new UringConnection(reactor, descriptor, isLocal, local, remote)
}

const NO_ADDRESS: SocketAddress = { address: '', port: 0 }

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It has been moved to another name, or somebody was faster.
  }
}
