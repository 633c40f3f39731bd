import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { inspect } from 'node:util'
import { HttpSysError } from '../base/errors.ts'
import { UrlPrefix, isUrlPrefix, prefix as prefixOf } from '../base/url-prefix.ts'
import type { Framework, MountContext } from './framework.ts'
import { fromFetch } from './from-fetch.ts'
import { KNOWN_FRAMEWORKS } from './known-frameworks.ts'

/** Those of third parties, latest first: they know their apps better. */
let registered: Framework[] = []

/** The frameworks that {@link mount} recognises. */
export const frameworks = {
  /**
   * Adds a framework, or replaces the one of that name.
   *
   * @throws HttpSysError `EINVAL`, naming what is missing
   */
  register(framework: Framework): void {
    for (const [key, type] of [
      ['name', 'string'],
      ['detect', 'function'],
      ['mount', 'function'],
    ] as const) {
      const given: unknown = (framework as Partial<Framework> | null | undefined)?.[key]
      if (typeof given === type && given !== '') continue
      throw invalid('frameworks.register', shown(framework), `${key} is ${shown(given)}`, `Give ${key} as a ${type}.`)
    }
    frameworks.unregister(framework.name)
    registered.unshift(framework)
  },

  /** Takes a registered framework out; returns whether it was there. */
  unregister(name: string): boolean {
    const before = registered.length
    registered = registered.filter((framework) => framework.name !== name)
    return registered.length < before
  },

  /** All names, in the order in which they are asked. */
  get names(): string[] {
    return [...registered, ...KNOWN_FRAMEWORKS].map(({ name }) => name)
  },
}

/**
 * Serves an app on a prefix, whatever framework it is of; resolves to the listening server.
 *
 * @param prefix - a `UrlPrefix`, a path like `/2/`, or a full UrlPrefix string
 * @throws HttpSysError `EINVAL` for an app that nobody recognises or a prefix that breaks a rule, else as `listen`
 */
export async function mount(app: unknown, prefix: UrlPrefix | string): Promise<Server> {
  const found = [...registered, ...KNOWN_FRAMEWORKS].find((framework) => framework.detect(app))
  if (found === undefined) {
    const reason = `it is none of ${frameworks.names.join(', ')}`
    throw invalid('mount', shown(app), reason, 'Give an app of one of these, or register its framework.')
  }
  const target = isUrlPrefix(prefix)
    ? UrlPrefix.parse(prefix.href, { mode: prefix.mode, strip: prefix.strip, ...prefix.settings })
    : prefixOf(prefix)
  const context: MountContext = {
    prefix: target,
    fromFetch,
    listen: (server, { strip = false } = {}) => {
      target.strip ??= strip
      return listening(server, target)
    },
  }
  const server: unknown = await found.mount(app as never, context)
  if ((server as Partial<Server> | null | undefined)?.listening === true) return server as Server
  const reason = `the mount of framework ${found.name} gave ${shown(server)}, which is no server that listens`
  throw invalid('mount', shown(app), reason, 'Let it return what the listen that it is given resolves to.')
}

async function listening(target: Server | RequestListener, prefix: UrlPrefix): Promise<Server> {
  const server = typeof target === 'function' ? createServer(target) : target
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(prefix, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return server
}

function shown(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Infinity }).slice(0, 100)
}

function invalid(syscall: string, subject: string, reason: string, remedy: string): HttpSysError {
  return new HttpSysError({ code: 'EINVAL', syscall, subject, reason, remedy })
}
