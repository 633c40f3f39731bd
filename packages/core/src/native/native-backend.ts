import { HttpSysError } from '../base/errors.ts'
import { completeQueueSettings } from '../base/queue-settings.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'
import type { ExchangeListener, PortReservation, QueueBackend, RequestQueue } from '../queue/exchange.ts'
import { AttachedUrls } from './attached-urls.ts'
import { IoContext } from './io-context.ts'
import { createNamedQueue, openNamedQueue } from './named-queues.ts'
import { QueueMember } from './queue-member.ts'
import type { MemberHome } from './queue-member.ts'
import type { RequestQueueHandle } from './request-queue.ts'
import { UrlGroup } from './url-group.ts'
import { registerUrls } from './urls.ts'
import type { Win32Api } from './win32-api.ts'

/** RFC 6335 section 6; what Windows itself uses. */
const FIRST_DYNAMIC_PORT = 49_152
const MAX_PORT_ATTEMPTS = 32

/** Settings of {@link NativeBackend}. */
export interface NativeBackendOptions {
  /** The functions of Windows; loaded when a prefix is first claimed. */
  readonly load: () => Win32Api
  /** Receives that each queue keeps outstanding, 16 to 64. @defaultValue 16 */
  readonly receives?: number | undefined
}

/** HTTP.SYS as a backend of the layers above. */
export class NativeBackend implements QueueBackend, MemberHome {
  readonly #load: () => Win32Api
  readonly #receives: number
  #io: IoContext | null = null
  /** By the prefix's key; those that still receive. */
  readonly #members = new Map<string, QueueMember>()
  readonly #groups = new Map<QueueMember, UrlGroup>()
  /** Of those whose queue another process has made. */
  readonly #attached = new Map<QueueMember, AttachedUrls>()

  constructor({ load, receives }: NativeBackendOptions) {
    this.#load = load
    this.#receives = Math.min(64, Math.max(16, receives ?? 16))
  }

  /**
   * Claims a prefix.
   *
   * @throws HttpSysError `EADDRINUSE`, `EACCES`, `EINVAL` and others, each with its remedy
   */
  readonly open = (prefix: UrlPrefix, listener: ExchangeListener): Promise<RequestQueue> => {
    return Promise.resolve().then(() => this.#open(prefix, listener))
  }

  reserve(_prefix: UrlPrefix, _host?: string): PortReservation | undefined {
    return undefined
  }

  /** How many operations Windows has not completed; for tests. */
  get inFlight(): number {
    return this.#io?.port.inFlight ?? 0
  }

  onLeaving(member: QueueMember): boolean {
    if (this.#members.get(member.prefix.key) === member) this.#members.delete(member.prefix.key)
    this.#attached.get(member)?.stop()
    this.#attached.delete(member)
    this.#groups.get(member)?.removeAll()
    return true
  }

  onMemberClosed(member: QueueMember): void {
    this.#groups.get(member)?.close()
    this.#groups.delete(member)
  }

  #open(prefix: UrlPrefix, listener: ExchangeListener): RequestQueue {
    const known = this.#members.get(prefix.key)
    if (known !== undefined) return joinHere(known, prefix, listener)
    const member = prefix.port === 0 ? this.#createOnFreePort(prefix) : this.#createOrAttach(prefix)
    const queue = member.join(member.prefix, listener)
    member.start(this.#receives)
    return queue
  }

  /** HTTP.SYS picks no ports: one of the dynamic range is tried after the other, from a random one on. */
  #createOnFreePort(prefix: UrlPrefix): QueueMember {
    for (let attempt = 1; ; attempt++) {
      const port = FIRST_DYNAMIC_PORT + Math.floor(Math.random() * (65_536 - FIRST_DYNAMIC_PORT))
      try {
        return this.#create(prefix.withPort(port))
      } catch (error) {
        if (attempt === MAX_PORT_ATTEMPTS || (error as HttpSysError).code !== 'EADDRINUSE') throw error
      }
    }
  }

  /** `attach` joins the process that has the prefix; nobody can take it from another process, since HTTP.SYS lets nobody. */
  #createOrAttach(prefix: UrlPrefix): QueueMember {
    try {
      return this.#create(prefix)
    } catch (error) {
      if (prefix.mode !== 'attach' || (error as HttpSysError).code !== 'EADDRINUSE') throw error
      const handle = openNamedQueue(this.#io!, prefix)
      // Another program has the port, or the prefix without a queue of ours.
      if (handle === undefined) throw error
      return this.#attach(prefix, handle)
    }
  }

  #create(prefix: UrlPrefix): QueueMember {
    this.#io ??= new IoContext(this.#load())
    const handle = createNamedQueue(this.#io, prefix)
    return this.#addMember(prefix, handle, (group) => {
      handle.configure(completeQueueSettings(prefix.settings))
      registerUrls(group, prefix)
    })
  }

  #attach(prefix: UrlPrefix, handle: RequestQueueHandle): QueueMember {
    const member = this.#addMember(prefix, handle, () => {})
    this.#attached.set(member, new AttachedUrls(this.#groups.get(member)!, prefix))
    return member
  }

  #addMember(prefix: UrlPrefix, handle: RequestQueueHandle, register: (group: UrlGroup) => void): QueueMember {
    const io = this.#io!
    let group: UrlGroup | undefined
    try {
      group = new UrlGroup(io.api, io.session, prefix.href)
      group.configure(completeQueueSettings(prefix.settings))
      group.bind(handle)
      register(group)
    } catch (error) {
      group?.close()
      handle.close()
      throw error
    }
    const member = new QueueMember(io, this, handle, prefix)
    this.#members.set(prefix.key, member)
    this.#groups.set(member, group)
    return member
  }
}

function joinHere(member: QueueMember, prefix: UrlPrefix, listener: ExchangeListener): RequestQueue {
  if (prefix.mode === 'create') {
    throw new HttpSysError({
      code: 'EADDRINUSE',
      syscall: 'listen',
      subject: prefix.href,
      reason: 'this process has claimed the prefix',
      remedy: `Close the other server first, or share the queue with { mode: 'attach' }.`,
    })
  }
  const queue = member.join(prefix, listener)
  if (prefix.mode === 'takeover') member.replace(queue)
  return queue
}
