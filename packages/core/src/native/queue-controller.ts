import { completeQueueSettings } from '../base/queue-settings.ts'
import type { UrlPrefix } from '../base/url-prefix.ts'
import { createNamedQueue } from './named-queues.ts'
import { queueStemOf } from './queue-names.ts'
import { RequestQueueHandle } from './request-queue.ts'
import { ServerSession } from './server-session.ts'
import { UrlGroup } from './url-group.ts'
import { UrlHolder } from './url-holder.ts'
import { registerUrls } from './urls.ts'
import type { Win32Api } from './win32-api.ts'

interface HeldPrefix {
  readonly handle: RequestQueueHandle
  readonly group: UrlGroup
  readonly holder: UrlHolder
}

/**
 * Owns request queues and their URLs without receiving from them. Workers attach to the queues by their names; while there is none,
 * requests wait in the kernel for the next one, so workers come and go without a 503.
 *
 * @see HTTP_CREATE_REQUEST_QUEUE_FLAG_CONTROLLER
 */
export class QueueController {
  readonly #api: Win32Api
  readonly #session: ServerSession
  readonly #held: HeldPrefix[] = []

  constructor(api: Win32Api) {
    this.#api = api
    this.#session = new ServerSession(api)
  }

  /**
   * Holds a prefix until {@link release}. Its settings are those that count: workers' own have no effect.
   *
   * @param sddl - who may attach, as a security descriptor's text; undefined for this user and administrators
   * @returns the name of the queue
   * @throws HttpSysError `EADDRINUSE` when somebody has the prefix, `EACCES` when this user may not have it, `EINVAL`
   */
  hold(prefix: UrlPrefix, sddl?: string): string {
    const api = this.#api
    const settings = completeQueueSettings(prefix.settings)
    const handle = createNamedQueue(prefix, (name) => new RequestQueueHandle(api, null, name, 'controller', sddl))
    let group: UrlGroup | undefined
    try {
      group = new UrlGroup(api, this.#session, prefix.href)
      handle.configure(settings)
      group.configure(settings)
      group.bind(handle)
      registerUrls(group, prefix)
    } catch (error) {
      group?.close()
      handle.close()
      throw error
    }
    this.#held.push({ handle, group, holder: new UrlHolder(api.pipes, queueStemOf(prefix)) })
    return handle.name
  }

  /** Gives everything back. Workers that are there go on with the queues, and one of each registers the URLs again if it may. */
  release(): void {
    for (const { handle, group, holder } of this.#held.splice(0)) {
      holder.close()
      group.removeAll()
      handle.close()
      group.close()
    }
  }
}
