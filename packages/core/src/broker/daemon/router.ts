import type { UrlPrefix } from '../../base/url-prefix.ts'
import { hostNameOf, hostOfAddress, isLoopbackHost } from './host-name.ts'
import { isPlainPath, lenientReading, literalReading } from './path-readings.ts'
import { PathTrie } from './path-trie.ts'

/** No prefix on the port is for this host: 400. */
export const MISS_HOST = 1
/** The host is known, the path is not: 404. */
export const MISS_PATH = 2
/** The path can be read in two ways that lead to different claims: 400. */
export const MISS_AMBIGUOUS = 3
/** The Host field is not a host: 400. */
export const MISS_BAD_HOST = 4

/** Why a look-up found nothing. */
export type RouteMiss = typeof MISS_HOST | typeof MISS_PATH | typeof MISS_AMBIGUOUS | typeof MISS_BAD_HOST

/** The claims of all ports. */
export class Router<T extends object> {
  readonly #ports = new Map<number, PortRoutes<T>>()

  /** Registers a claim; returns the claim that has the prefix already and keeps it, if any. */
  add(prefix: UrlPrefix, port: number, value: T): T | undefined {
    return this.routesOf(port).add(prefix, value)
  }

  /** Takes a claim out; returns whether it was there. */
  remove(prefix: UrlPrefix, port: number): boolean {
    return this.#ports.get(port)?.remove(prefix) ?? false
  }

  /** The claims of one port; the object stays the same as claims come and go. */
  routesOf(port: number): PortRoutes<T> {
    let routes = this.#ports.get(port)
    if (routes === undefined) {
      routes = new PortRoutes()
      this.#ports.set(port, routes)
    }
    return routes
  }
}

type HostTables<T> = Map<string, PathTrie<T>>

const WILDCARD = '*'

/**
 * The claims of one port, by host category; the first category with a matching path wins, and in it the longest path.
 *
 * @see https://learn.microsoft.com/windows/win32/http/urlprefix-strings
 */
export class PortRoutes<T extends object> {
  readonly #strong: HostTables<T> = new Map()
  readonly #explicit: HostTables<T> = new Map()
  readonly #ipBound: HostTables<T> = new Map()
  readonly #subdomain: HostTables<T> = new Map()
  readonly #weak: HostTables<T> = new Map()

  add(prefix: UrlPrefix, value: T): T | undefined {
    const tables = this.#tablesOf(prefix)
    const host = tableKey(prefix)
    let trie = tables.get(host)
    if (trie === undefined) {
      trie = new PathTrie()
      tables.set(host, trie)
    }
    return trie.add(prefix.path, value)
  }

  remove(prefix: UrlPrefix): boolean {
    const tables = this.#tablesOf(prefix)
    const host = tableKey(prefix)
    const trie = tables.get(host)
    if (trie === undefined || !trie.remove(prefix.path)) return false
    if (trie.isEmpty) tables.delete(host)
    return true
  }

  /**
   * Finds the claim for a request.
   *
   * @param hostField - the Host field's value, or undefined when the client sent none (HTTP/1.0): the local address counts then
   * @param path - the raw path of the request target, beginning with a slash
   * @param localAddress - where the connection arrived
   * @param isLoopback - whether the client is on this machine; prefixes for `localhost` are for no one else
   */
  find(hostField: string | undefined, path: string, localAddress: string, isLoopback: boolean): T | RouteMiss {
    const host = hostField === undefined ? hostOfAddress(localAddress) : hostNameOf(hostField)
    if (host === '') return MISS_BAD_HOST
    if (isPlainPath(path)) return this.#search(host, path, null, localAddress, isLoopback)
    const literal = this.#search(host, path, literalReading(path), localAddress, isLoopback)
    const lenient = this.#search(host, path, lenientReading(path), localAddress, isLoopback)
    return literal === lenient ? literal : MISS_AMBIGUOUS
  }

  #search(
    host: string,
    path: string,
    segments: string[] | null,
    localAddress: string,
    isLoopback: boolean,
  ): T | RouteMiss {
    let miss: RouteMiss = MISS_HOST
    const look = (trie: PathTrie<T> | undefined): T | undefined => {
      if (trie === undefined) return undefined
      miss = MISS_PATH
      return segments === null ? trie.find(path) : trie.findSegments(segments)
    }
    const isLoopbackName = isLoopbackHost(host)
    const isAllowed = isLoopback || !isLoopbackName
    const found =
      look(this.#strong.get(WILDCARD)) ??
      (isAllowed ? look(this.#explicit.get(host)) : undefined) ??
      (isAllowed ? look(this.#ipBound.get(host)) : undefined) ??
      // The names of the loopback interface all mean it.
      (isLoopbackName && isLoopback ? look(this.#explicit.get('localhost')) : undefined) ??
      (this.#ipBound.size > 0 ? look(this.#ipBound.get(hostOfAddress(localAddress))) : undefined) ??
      (this.#subdomain.size > 0 ? this.#searchSubdomains(host, look) : undefined) ??
      look(this.#weak.get(WILDCARD))
    return found ?? miss
  }

  /** The most specific `*.name` first. */
  #searchSubdomains(host: string, look: (trie: PathTrie<T> | undefined) => T | undefined): T | undefined {
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const found = look(this.#subdomain.get(host.slice(dot + 1)))
      if (found !== undefined) return found
    }
    return undefined
  }

  #tablesOf(prefix: UrlPrefix): HostTables<T> {
    switch (prefix.category) {
      case 'strong-wildcard':
        return this.#strong
      case 'explicit':
        return this.#explicit
      case 'ip-bound':
        return this.#ipBound
      case 'subdomain-wildcard':
        return this.#subdomain
      case 'weak-wildcard':
        return this.#weak
    }
  }
}

function tableKey(prefix: UrlPrefix): string {
  if (prefix.category === 'strong-wildcard' || prefix.category === 'weak-wildcard') return WILDCARD
  return prefix.category === 'subdomain-wildcard' ? prefix.host.slice(2) : prefix.host
}
