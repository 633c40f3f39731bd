import { HttpSysError } from '../base/errors.ts'
import { completeQueueSettings } from '../base/queue-settings.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'
import type { ExchangeListener, PortReservation, QueueBackend, RequestQueue } from '../queue/exchange.ts'
import { AttachedUrls } from './attached-urls.ts'
import { IoContext } from './io-context.ts'
import { createNamedQueue, openNamedQueue } from './named-queues.ts'
import { QueueMember } from './queue-member.ts'
import type { MemberHome } from './queue-member.ts'
import { queueStemOf } from './queue-names.ts'
import { RequestQueueHandle } from './request-queue.ts'
import { Incumbent } from './takeover.ts'
import { UrlGroup } from './url-group.ts'
import { UrlHolder } from './url-holder.ts'
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
  /** Of those whose URLs are this process's. */
  readonly #holders = new Map<QueueMember, UrlHolder>()
  /** What other processes ask to leave. */
  readonly #incumbents = new Map<QueueMember, Incumbent>()

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

  /**
   * The thread ends without having closed its servers, and the process goes on: its prefixes are free again, as those of a process are.
   * Nothing else can be called afterwards.
   */
  abandon(): void {
    for (const [member, group] of this.#groups) {
      group.removeAll()
      // SAFETY: what is under way is aborted; its completions lie in a port that nobody looks at, and its memory is not given back.
      member.handle.close()
      group.close()
    }
    this.#groups.clear()
  }

  onRevoked(member: QueueMember): void {
    if (this.#members.get(member.prefix.key) === member) this.#members.delete(member.prefix.key)
    this.#incumbents.get(member)?.close()
  }

  onLeaving(member: QueueMember): boolean {
    this.onRevoked(member)
    const attached = this.#attached.get(member)
    attached?.stop()
    this.#attached.delete(member)
    this.#incumbents.get(member)?.announceUrls()
    this.#incumbents.delete(member)
    this.#holders.get(member)?.close()
    this.#holders.delete(member)
    this.#groups.get(member)?.removeAll()
    return attached === undefined || attached.hasUrls
  }

  onMemberClosed(member: QueueMember): void {
    this.#groups.get(member)?.close()
    this.#groups.delete(member)
  }

  async #open(prefix: UrlPrefix, listener: ExchangeListener): Promise<RequestQueue> {
    const known = this.#members.get(prefix.key)
    if (known !== undefined) {
      const queue = joinHere(known, prefix, listener)
      if (prefix.mode === 'takeover') await this.#incumbents.get(known)?.takeOver()
      return queue
    }
    const member = this.#claim(prefix)
    const queue = member.join(member.prefix, listener)
    member.start(this.#receives)
    const incumbent = this.#incumbentOf(member)
    this.#incumbents.set(member, incumbent)
    await (prefix.mode === 'takeover' ? incumbent.takeOver() : incumbent.listen())
    return queue
  }

  /** HTTP.SYS takes a prefix from nobody: who takes it over attaches, and asks the others to leave. */
  #claim(prefix: UrlPrefix): QueueMember {
    if (prefix.port === 0) return this.#createOnFreePort(prefix)
    return prefix.mode === 'create' ? this.#create(prefix) : this.#attachOrCreate(prefix)
  }

  #incumbentOf(member: QueueMember): Incumbent {
    return new Incumbent({
      pipes: this.#context.api.pipes,
      stem: queueStemOf(member.prefix),
      leave: () => member.revoke(),
      onUrlsFree: () => this.#attached.get(member)?.hurry(),
    })
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
    const handle = this.#makeQueue(prefix)
    let group: UrlGroup | undefined
    try {
      group = this.#makeGroup(prefix)
      group.bind(handle)
      registerUrls(group, prefix)
    } catch (error) {
      group?.close()
      handle.close()
      throw error
    }
    return this.#addHolder(prefix, handle, group)
  }

  /**
   * `attach` and `takeover` join the process that has the prefix, or are the first.
   *
   * The URLs are tried before there is a queue: one that was made and given up again could be found meanwhile by somebody else who
   * attaches. Until the queue is bound, requests get the kernel's 503, as they did before.
   */
  #attachOrCreate(prefix: UrlPrefix): QueueMember {
    const group = this.#makeGroup(prefix)
    let handle: RequestQueueHandle | undefined
    try {
      const refusal = refusalOf(() => registerUrls(group, prefix))
      handle = refusal === undefined ? this.#makeQueue(prefix) : openNamedQueue(this.#io!, prefix)
      // Another program has the port, or the prefix without a queue of ours; or this user may not have it.
      if (handle === undefined) throw refusal
      return refusal === undefined ? this.#joinFirst(prefix, handle, group) : this.#attach(prefix, handle, group)
    } catch (error) {
      group.close()
      handle?.close()
      throw error
    }
  }

  #joinFirst(prefix: UrlPrefix, handle: RequestQueueHandle, group: UrlGroup): QueueMember {
    group.bind(handle)
    return this.#addHolder(prefix, handle, group)
  }

  #attach(prefix: UrlPrefix, handle: RequestQueueHandle, group: UrlGroup): QueueMember {
    const canBind = isDone(() => group.bind(handle))
    const member = this.#addMember(prefix, handle, group)
    const urls = new AttachedUrls(group, prefix, {
      pipes: this.#context.api.pipes,
      onRegistered: () => this.#hold(member),
    })
    this.#attached.set(member, urls)
    // A worker that may receive and no more: the URLs stay with whoever has registered them, a controller that outlives its workers. By
    // which error Windows would say so is not documented.
    if (!canBind) urls.stop()
    return member
  }

  get #context(): IoContext {
    this.#io ??= new IoContext(this.#load())
    return this.#io
  }

  #makeQueue(prefix: UrlPrefix): RequestQueueHandle {
    const { api, port } = this.#context
    const handle = createNamedQueue(prefix, (name) => new RequestQueueHandle(api, port, name, 'create'))
    try {
      handle.configure(completeQueueSettings(prefix.settings))
    } catch (error) {
      handle.close()
      throw error
    }
    return handle
  }

  #makeGroup(prefix: UrlPrefix): UrlGroup {
    const { api, session } = this.#context
    const group = new UrlGroup(api, session, prefix.href)
    try {
      group.configure(completeQueueSettings(prefix.settings))
    } catch (error) {
      group.close()
      throw error
    }
    return group
  }

  #addHolder(prefix: UrlPrefix, handle: RequestQueueHandle, group: UrlGroup): QueueMember {
    const member = this.#addMember(prefix, handle, group)
    this.#hold(member)
    return member
  }

  /** The URLs are this process's: others may wait for them. */
  #hold(member: QueueMember): void {
    this.#holders.set(member, new UrlHolder(this.#context.api.pipes, queueStemOf(member.prefix)))
  }

  #addMember(prefix: UrlPrefix, handle: RequestQueueHandle, group: UrlGroup): QueueMember {
    const member = new QueueMember(this.#context, this, handle, prefix)
    this.#members.set(prefix.key, member)
    this.#groups.set(member, group)
    return member
  }
}

/** The error of a call that was refused because somebody else has what it is about, or because this user may not have it. */
function refusalOf(call: () => void): HttpSysError | undefined {
  try {
    call()
  } catch (error) {
    const { code } = error as HttpSysError
    if (code === 'EADDRINUSE' || code === 'EACCES') return error as HttpSysError
    throw error
  }
  return undefined
}

/** Whether a call worked; by which error it did not is of no matter. */
function isDone(call: () => void): boolean {
  try {
    call()
    return true
  } catch {
    return false
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
