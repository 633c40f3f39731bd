import type { ClientConnection } from './client-connection.ts'
import type { FileHandle, Operation } from './operation.ts'
import type { DoubleProcess } from './process.ts'
import type { ServerRequest } from './server-request.ts'

/** HTTP_SERVER_SESSION */
export interface ServerSession {
  readonly id: bigint
  isOpen: boolean
}

/** HTTP_URL_GROUP: its URLs stand in the machine's registrations. */
export class UrlGroup {
  readonly id: bigint
  readonly session: ServerSession
  readonly process: DoubleProcess
  isOpen = true
  /** HttpServerBindingProperty */
  queue: RequestQueue | null = null
  /** Of the connection limit among the properties (QOS); 0 for none. */
  maxConnections = 0
  /** That have sent a request for one of its URLs, and are open. */
  readonly connections = new Set<ClientConnection>()
  /** The bytes of every other property that was set. */
  readonly properties = new Map<number, Buffer>()

  constructor(id: bigint, session: ServerSession, process: DoubleProcess) {
    this.id = id
    this.session = session
    this.process = process
  }
}

/** A receive that waits for a request. */
export interface PendingReceive {
  readonly handle: QueueHandle
  readonly operation: Operation
  readonly deliver: (request: ServerRequest) => void
}

/** A request queue: requests that wait, and receives that wait, never both. */
export class RequestQueue {
  readonly name: string | null
  readonly owner: string
  readonly isController: boolean
  /** A security descriptor's text; empty for the default. */
  readonly sddl: string
  readonly handles = new Set<QueueHandle>()
  readonly receives: PendingReceive[] = []
  readonly waiting: ServerRequest[] = []
  /** HttpServerQueueLengthProperty */
  length = 1000
  /** HttpServer503VerbosityProperty: Basic, which breaks the connection. */
  verbosity = 0
  isShutDown = false

  constructor(name: string | null, owner: string, isController: boolean, sddl: string) {
    this.name = name
    this.owner = owner
    this.isController = isController
    this.sddl = sddl
  }

  /** Whether a user may open it. */
  admits(user: string): boolean {
    return user === this.owner || this.sddl.includes(`(A;;GA;;;${user})`)
  }

  /** Gives a request to the receive that waits longest; false when the queue is full or takes none any more. */
  enqueue(request: ServerRequest): boolean {
    if (this.isShutDown || this.handles.size === 0) return false
    const receive = this.receives.shift()
    if (receive === undefined) {
      if (this.waiting.length >= this.length) return false
      this.waiting.push(request)
    } else receive.deliver(request)
    return true
  }
}

/** One process's handle of a queue. */
export class QueueHandle implements FileHandle {
  readonly value: number
  readonly queue: RequestQueue
  readonly isCreator: boolean
  port: FileHandle['port'] = null
  key = 0
  skipsOnSuccess = false
  isOpen = true
  /** Requests that were received through it and have no complete response. */
  readonly requests = new Set<ServerRequest>()

  constructor(value: number, queue: RequestQueue, isCreator: boolean) {
    this.value = value
    this.queue = queue
    this.isCreator = isCreator
  }
}
