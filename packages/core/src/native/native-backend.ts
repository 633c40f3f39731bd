import { HttpSysError } from '../base/errors.ts'
import { completeQueueSettings } from '../base/queue-settings.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'
import type { ExchangeListener, PortReservation, QueueBackend, RequestQueue } from '../queue/exchange.ts'
import { IoContext } from './io-context.ts'
import { queueNameOf } from './queue-names.ts'
import { QueueMember } from './queue-member.ts'
import type { MemberHome } from './queue-member.ts'
import { RequestQueueHandle } from './request-queue.ts'
import { ServerSession } from './server-session.ts'
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
  #session: ServerSession | null = null
  /** By the prefix's key; those that still receive. */
  readonly #members = new Map<string, QueueMember>()
  readonly #groups = new Map<QueueMember, UrlGroup>()

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
    const member = prefix.port === 0 ? this.#createOnFreePort(prefix) : this.#create(prefix)
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

  #create(prefix: UrlPrefix): QueueMember {
    const api = (this.#io ??= new IoContext(this.#load())).api
    const session = (this.#session ??= new ServerSession(api))
    const settings = completeQueueSettings(prefix.settings)
    const handle = new RequestQueueHandle(api, this.#io.port, queueNameOf(prefix), 'create')
    let group: UrlGroup | undefined
    try {
      handle.configure(settings)
      group = new UrlGroup(api, session, prefix.href)
      group.configure(settings)
      group.bind(handle)
      registerUrls(group, prefix)
    } catch (error) {
      group?.close()
      handle.close()
      throw error
    }
    const member = new QueueMember(this.#io, this, handle, prefix)
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
