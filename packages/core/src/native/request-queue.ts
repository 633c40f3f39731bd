import type { CompleteQueueSettings, Verbosity503 } from '../base/queue-settings.ts'
import { check, isMissing, win32Error } from './check.ts'
import type { CompletionPort } from './completion-port.ts'
import {
  ERROR_IO_PENDING,
  ERROR_SUCCESS,
  FILE_SKIP_COMPLETION_PORT_ON_SUCCESS,
  FILE_SKIP_SET_EVENT_ON_HANDLE,
  HTTPAPI_VERSION_2,
  HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER,
  HTTP_CREATE_REQUEST_QUEUE_FLAG_OPEN_EXISTING,
  HttpServer503VerbosityProperty,
  HttpServerQueueLengthProperty,
} from './constants.ts'
import { MemoryBlock } from './memory-block.ts'
import { withSecurity } from './security.ts'
import type { Handle, Win32Api, Win32Status } from './win32-api.ts'

const VERBOSITIES: readonly Verbosity503[] = ['basic', 'limited', 'full']

/** How a queue is come by: made by this process, made by a controller that does not receive itself, or another process's. */
export type QueueOrigin = 'create' | 'controller' | 'open'

/**
 * The handle of one of HTTP.SYS's request queues.
 *
 * open ──close──▶ closed: what is under way on it is aborted, so callers wait for their operations first
 */
export class RequestQueueHandle {
  readonly handle: Handle
  /** Other processes of this user open the queue by it. */
  readonly name: string
  /** A call that is done at once queues no completion. */
  readonly isSkipping: boolean
  readonly #api: Win32Api
  #isClosed = false

  /**
   * @param port - where completions go; a controller has none, since it does not receive
   * @param sddl - who else may open the queue, as a security descriptor's text; only whoever makes it says so
   */
  constructor(api: Win32Api, port: CompletionPort | null, name: string, origin: QueueOrigin, sddl?: string) {
    this.#api = api
    this.name = name
    const out = new MemoryBlock(api.memory, 16)
    const flags =
      origin === 'open'
        ? HTTP_CREATE_REQUEST_QUEUE_FLAG_OPEN_EXISTING
        : origin === 'controller'
          ? HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER
          : 0
    try {
      const status = withSecurity(api, sddl, (attributes) =>
        // SAFETY: eight bytes are written before the call returns.
        api.http.HttpCreateRequestQueue(HTTPAPI_VERSION_2, name, attributes, flags, out.address),
      )
      check('HttpCreateRequestQueue', status, name)
      this.handle = out.readAddress(0)
    } finally {
      out.free()
    }
    if (port === null) {
      this.isSkipping = false
      return
    }
    try {
      port.associate(this.handle, name)
    } catch (error) {
      this.close()
      throw error
    }
    const modes = FILE_SKIP_COMPLETION_PORT_ON_SUCCESS | FILE_SKIP_SET_EVENT_ON_HANDLE
    this.isSkipping = api.kernel.SetFileCompletionNotificationModes(this.handle, modes) !== 0
  }

  get isOpen(): boolean {
    return !this.#isClosed
  }

  /** Whether Windows will tell through the port how an operation ended. */
  isPending(status: Win32Status): boolean {
    return status === ERROR_IO_PENDING || (status === ERROR_SUCCESS && !this.isSkipping)
  }

  /** Applies settings that belong to the queue; only its creator may, and what this Windows does not have is left at its default. */
  configure(settings: CompleteQueueSettings): void {
    // 0 is no length that HTTP.SYS knows; the shortest is 1.
    this.#set(HttpServerQueueLengthProperty, Math.max(1, settings.queueLength))
    this.#set(HttpServer503VerbosityProperty, VERBOSITIES.indexOf(settings.verbosity503))
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    // Whatever the status: a handle that can't be closed is none any more, and there is nobody to tell.
    this.#api.http.HttpCloseRequestQueue(this.handle)
  }

  #set(property: number, value: number): void {
    const block = new MemoryBlock(this.#api.memory, 16)
    block.u32[0] = value
    // SAFETY: the call reads four bytes and returns.
    const status = this.#api.http.HttpSetRequestQueueProperty(this.handle, property, block.address, 4, 0, 0)
    block.free()
    if (status === ERROR_SUCCESS || isMissing(status)) return
    throw win32Error('HttpSetRequestQueueProperty', status, this.name)
  }
}
