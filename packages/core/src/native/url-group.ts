import type { CompleteQueueSettings } from '../base/queue-settings.ts'
import { accountName } from './account-name.ts'
import { check, isMissing, win32Error } from './check.ts'
import {
  ERROR_SUCCESS,
  HttpQosSettingTypeConnectionLimit,
  HttpServerBindingProperty,
  HttpServerQosProperty,
  HttpServerTimeoutsProperty,
  PROPERTY_PRESENT,
} from './constants.ts'
import {
  HTTP_BINDING_INFO,
  HTTP_CONNECTION_LIMIT_INFO,
  HTTP_QOS_SETTING_INFO,
  HTTP_TIMEOUT_LIMIT_INFO,
} from './layout.ts'
import { MemoryBlock } from './memory-block.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import type { ServerSession } from './server-session.ts'
import type { Handle, OpaqueId, Win32Api } from './win32-api.ts'

const MAX_SECONDS = 0xffff

/**
 * A URL group: the URLs that one claim has registered, bound to the request queue that their requests go to.
 *
 * open ──close──▶ closed: its URLs are free
 */
export class UrlGroup {
  readonly #api: Win32Api
  readonly #id: OpaqueId
  /** The prefix that the group is for, in messages. */
  readonly #subject: string
  readonly #urls: string[] = []
  #isClosed = false

  constructor(api: Win32Api, session: ServerSession, subject: string) {
    this.#api = api
    this.#subject = subject
    const out = new MemoryBlock(api.memory, 16)
    // SAFETY: eight bytes are written before the call returns.
    const status = api.http.HttpCreateUrlGroup(session.id, out.address, 0)
    this.#id = out.readId(0)
    out.free()
    check('HttpCreateUrlGroup', status, subject)
  }

  /** Requests for the group's URLs go to this queue. */
  bind(queue: RequestQueueHandle): void {
    this.#set(HttpServerBindingProperty, HTTP_BINDING_INFO.$size, (block) => writeBinding(block, queue.handle))
  }

  /** Applies what HTTP.SYS knows of a queue's settings; what this Windows does not have is left at its default. */
  configure(settings: CompleteQueueSettings): void {
    this.#set(
      HttpServerTimeoutsProperty,
      HTTP_TIMEOUT_LIMIT_INFO.$size,
      (block) => writeTimeouts(block, settings),
      true,
    )
    if (settings.maxConnections === 0) return
    const bytes = HTTP_QOS_SETTING_INFO.$size + HTTP_CONNECTION_LIMIT_INFO.$size
    this.#set(HttpServerQosProperty, bytes, (block) => writeConnectionLimit(block, settings.maxConnections), true)
  }

  /**
   * Registers a URL.
   *
   * @throws HttpSysError `EADDRINUSE` when somebody has it, or the port; `EACCES` when this user may not
   */
  add(url: string): void {
    const status = this.#api.http.HttpAddUrlToUrlGroup(this.#id, url, 0n, 0)
    check('HttpAddUrlToUrlGroup', status, url, () => accountName(this.#api))
    this.#urls.push(url)
  }

  /** Registers a URL if that can be; what is missing without it is the caller's to know. */
  tryAdd(url: string): boolean {
    if (this.#api.http.HttpAddUrlToUrlGroup(this.#id, url, 0n, 0) !== ERROR_SUCCESS) return false
    this.#urls.push(url)
    return true
  }

  /** Gives all URLs back; further requests for them get the kernel's answer. */
  removeAll(): void {
    // Whatever the status: what took a queue away, as the end of its service does, may have taken the URLs with it.
    for (const url of this.#urls.splice(0)) this.#api.http.HttpRemoveUrlFromUrlGroup(this.#id, url, 0)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#urls.length = 0
    // As above.
    this.#api.http.HttpCloseUrlGroup(this.#id)
  }

  #set(property: number, bytes: number, write: (block: MemoryBlock) => void, isOptional = false): void {
    const block = new MemoryBlock(this.#api.memory, bytes)
    // SAFETY: nobody but us knows the block while it is written to, at constants of the struct that it is for; the call reads it and
    // returns, and nothing of it is kept.
    write(block)
    const status = this.#api.http.HttpSetUrlGroupProperty(
      this.#id,
      property,
      block.address,
      property === HttpServerQosProperty ? HTTP_QOS_SETTING_INFO.$size : bytes,
    )
    block.free()
    if (status === ERROR_SUCCESS || (isOptional && isMissing(status))) return
    throw win32Error('HttpSetUrlGroupProperty', status, this.#subject)
  }
}

function writeBinding(block: MemoryBlock, handle: Handle): void {
  block.u32[HTTP_BINDING_INFO.Flags >>> 2] = PROPERTY_PRESENT
  block.putAddress(HTTP_BINDING_INFO.RequestQueueHandle, handle)
}

/** Times are whole seconds here, and 0 means the default: what is shorter becomes one second. */
function writeTimeouts(block: MemoryBlock, settings: CompleteQueueSettings): void {
  const seconds = (offset: number, milliseconds: number | undefined): void => {
    if (milliseconds === undefined) return
    const rounded = Math.min(MAX_SECONDS, Math.max(1, Math.ceil(milliseconds / 1000)))
    block.u16[offset >>> 1] = milliseconds === 0 ? MAX_SECONDS : rounded
  }
  block.u32[HTTP_TIMEOUT_LIMIT_INFO.Flags >>> 2] = PROPERTY_PRESENT
  seconds(HTTP_TIMEOUT_LIMIT_INFO.EntityBody, settings.entityBodyTimeout)
  seconds(HTTP_TIMEOUT_LIMIT_INFO.DrainEntityBody, settings.drainEntityBodyTimeout)
  seconds(HTTP_TIMEOUT_LIMIT_INFO.RequestQueue, settings.requestQueueTimeout)
  seconds(HTTP_TIMEOUT_LIMIT_INFO.IdleConnection, settings.idleConnectionTimeout)
  seconds(HTTP_TIMEOUT_LIMIT_INFO.HeaderWait, settings.headerWaitTimeout)
  // 0 would be the default of 150; the largest number is how the documentation says that there is no limit.
  block.u32[HTTP_TIMEOUT_LIMIT_INFO.MinSendRate >>> 2] = settings.minSendRate === 0 ? 0xffff_ffff : settings.minSendRate
}

function writeConnectionLimit(block: MemoryBlock, maxConnections: number): void {
  block.u32[HTTP_QOS_SETTING_INFO.QosType >>> 2] = HttpQosSettingTypeConnectionLimit
  block.putPointer(HTTP_QOS_SETTING_INFO.QosSetting, HTTP_QOS_SETTING_INFO.$size)
  const limit = HTTP_QOS_SETTING_INFO.$size >>> 2
  block.u32[limit + (HTTP_CONNECTION_LIMIT_INFO.Flags >>> 2)] = PROPERTY_PRESENT
  block.u32[limit + (HTTP_CONNECTION_LIMIT_INFO.MaxConnections >>> 2)] = maxConnections
}
