import type { TlsInfo } from '../../base/tls-info.ts'

/** A place to listen: a TCP address, the path of a local socket, or a socket that listens already and now is the engine's. */
export type Endpoint =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly ipv6Only: boolean }
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'descriptor'; readonly descriptor: number }

/** Receives what happens on one connection. The methods are called from the engine's turn and must not throw. */
export interface EngineConnectionHandler {
  /** Bytes `[start, end)` have arrived; the buffer is the engine's and is valid during the call only. */
  onData(bytes: Buffer, start: number, end: number): void
  /** The other side has ended its direction (FIN). */
  onEnd(): void
  /** The connection had been full; there is room again. */
  onDrain(): void
  /** The connection is gone, whoever closed it; nothing follows. */
  onClose(): void
}

/** One accepted connection. Nothing here throws; a write to a dead connection is dropped and `onClose` follows. */
export interface EngineConnection {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
  /** What TLS has agreed on; undefined on connections without it. */
  readonly tls?: TlsInfo | undefined
  /** The operating system's number of the socket; -1 when the connection is gone. */
  readonly descriptor: number
  /** Set before the engine delivers anything. */
  handler: EngineConnectionHandler
  /** More is queued than the connection wants; `onDrain` tells when that is over. */
  readonly isFull: boolean
  /** Something waits here because the operating system takes no more. */
  readonly hasQueued: boolean
  /** Bytes that the other side has received so far; where the system does not tell, those that it has taken. */
  readonly takenBytes: number
  /** Sends text, one byte a character. */
  writeText(latin1: string): void
  /** Sends a copy of `bytes[start, end)`. */
  write(bytes: Buffer, start: number, end: number): void
  /** Sends the chunks without copying; they must not change until `done` is called, in any case, with whether they were sent. */
  writeChunks(chunks: Buffer[], done: (isSent: boolean) => void): void
  /** Holds writes back until `uncork`, so that they leave together. */
  cork(): void
  uncork(): void
  /** Stops and restarts reading; bytes already read are still delivered. */
  pause(): void
  resume(): void
  /** Calls back when what has arrived has been dealt with, soon in any case: writes that wait for it leave together, and at once. */
  defer(callback: () => void): void
  /** Sends one byte at once, on a connection that carries nothing else: its other side wakes up. That it can't be sent is no failure. */
  ring(): void
  /** Gives the socket to another thread, once nothing of it is under way here; the handler hears no more. Where there are threads. */
  detach?(done: (descriptor: number) => void): void
  /** Sends what is queued, then a FIN. */
  end(): void
  /** Closes at once and drops what is queued. */
  destroy(): void
}

/** Takes a connection that was accepted at a port away, by its descriptor; returns whether it does. */
export type Divert = (descriptor: number, port: number) => boolean

/** A listening socket. */
export interface EngineListener {
  /** The address as bound for TCP, empty for local sockets. */
  readonly address: string
  /** The real port for TCP, 0 for local sockets. */
  readonly port: number
  /** The operating system's number of the socket, for a process that inherits it; -1 when it can't be inherited. */
  readonly descriptor: number
  /** Stops listening; accepted connections go on. */
  close(): Promise<void>
}

/**
 * What others change without a signal as long as this thread is awake: memory.
 *
 * awake ──sleep()──▶ asleep ──whatever else wakes the thread, wake()──▶ awake
 */
export interface Watched {
  /** The thread is awake, and looks by itself from now on. */
  wake(): void
  /** Looks; returns whether there was something. */
  poll(): boolean
  /** From now on a signal is needed. Returns whether something had come before that could be seen. */
  sleep(): boolean
}

/** Accepts connections. */
export interface Transport {
  readonly name: 'net' | 'uring'
  /**
   * Starts to listen; `onConnection` sets the handler of each connection.
   *
   * Rejects with Node's error (`EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, …).
   *
   * @param divert - is offered each connection first, and takes it by returning true; engines without `adopt` do not ask
   */
  listen(
    endpoint: Endpoint,
    onConnection: (connection: EngineConnection) => void,
    divert?: Divert,
  ): Promise<EngineListener>
  /** Serves a connection that another thread has accepted. Undefined: the engine's connections can't change threads. */
  adopt?(descriptor: number, isLocal: boolean, onConnection: (connection: EngineConnection) => void): void
}

/** Bytes in and out for the daemon: the seam between the broker and the operating system. */
export interface Engine extends Transport {
  /** Looks at something as long as the thread is awake; returns what begins that, to be called when there may be more to look at. */
  watch(watched: Watched): () => void
}
