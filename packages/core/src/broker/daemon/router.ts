import type { UrlPrefix } from '../../base/url-prefix.ts'
import { hostOfAddress, hostOfField } from './host-name.ts'
import type { RequestHost } from './host-name.ts'
import { PATH_AMBIGUOUS, PATH_FOLDED, PathReadings, foldPath, shapeOf } from './path-readings.ts'
import { PathTable } from './path-table.ts'

/** No prefix on the port is for this host: 400. */
export const MISS_HOST = 1
/** The host is known, the path is not: 404. */
export const MISS_PATH = 2
/** The path can be read in several ways that lead to different claims: 400. */
export const MISS_AMBIGUOUS = 3
/** The Host field is not a host: 400. */
export const MISS_BAD_HOST = 4

/** Why a look-up found nothing. */
export type RouteMiss = typeof MISS_HOST | typeof MISS_PATH | typeof MISS_AMBIGUOUS | typeof MISS_BAD_HOST

/** The claims of all ports. */
export class Router<T extends object> {
  readonly #ports = new Map<number, PortRoutes<T>>()

  /**
   * Registers a claim; returns the claim that has the prefix already and keeps it, if any.
   *
   * @param port - the real one, where the prefix may say 0
   */
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

type HostTables<T extends object> = Map<string, PathTable<T>>

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
  /** The paths to search for the request at hand, strongest first; a field so that no request allocates it. */
  readonly #candidates: PathTable<T>[] = []
  // What the candidates are for. Most clients of a port say the same host, and comparing two texts costs less than hashing one.
  #areCandidatesValid = false
  #hostField: string | undefined
  #localAddress = ''
  #isLoopbackConnection = false

  /** Registers a claim; returns the claim that has the prefix already and keeps it, if any. */
  add(prefix: UrlPrefix, value: T): T | undefined {
    const tables = this.#tablesOf(prefix)
    const host = tableKey(prefix)
    let table = tables.get(host)
    if (table === undefined) {
      table = new PathTable()
      tables.set(host, table)
      this.#areCandidatesValid = false
    }
    return table.add(prefix.path, value)
  }

  /** Takes a claim out; returns whether it was there. */
  remove(prefix: UrlPrefix): boolean {
    const tables = this.#tablesOf(prefix)
    const host = tableKey(prefix)
    const table = tables.get(host)
    if (table === undefined || !table.remove(prefix.path)) return false
    if (table.isEmpty) {
      tables.delete(host)
      this.#areCandidatesValid = false
    }
    return true
  }

  /**
   * Finds the claim for a request.
   *
   * @param hostField - the Host field's value as Latin-1, or undefined when the client sent none (HTTP/1.0): the local address
   * counts then
   * @param path - the raw path of the request target as Latin-1, without query
   * @param localAddress - where the connection arrived, as node:net gives it
   * @param isLoopbackConnection - whether the client is on this machine; prefixes for loopback names are for no one else
   */
  find(
    hostField: string | undefined,
    path: string,
    localAddress: string,
    isLoopbackConnection: boolean,
  ): T | RouteMiss {
    const isSameAsBefore =
      this.#areCandidatesValid &&
      hostField === this.#hostField &&
      localAddress === this.#localAddress &&
      isLoopbackConnection === this.#isLoopbackConnection
    if (!isSameAsBefore) {
      const host = hostField === undefined ? hostOfAddress(localAddress) : hostOfField(hostField)
      if (host.name === '') return MISS_BAD_HOST
      this.#collectCandidates(host, localAddress, isLoopbackConnection)
      this.#areCandidatesValid = true
      this.#hostField = hostField
      this.#localAddress = localAddress
      this.#isLoopbackConnection = isLoopbackConnection
    }
    if (this.#candidates.length === 0) return MISS_HOST
    const shape = shapeOf(path)
    if (shape === PATH_AMBIGUOUS) return this.#findInAllReadings(new PathReadings(path))
    return this.#findComparable(shape === PATH_FOLDED ? foldPath(path) : path)
  }

  /** No request may reach a process that another reading of its path would not have led to. */
  #findInAllReadings(readings: PathReadings): T | RouteMiss {
    const literal = this.#findComparable(readings.read(0))
    // Every non-empty subset of the bits.
    for (let tricks = readings.tricks; tricks > 0; tricks = (tricks - 1) & readings.tricks) {
      if (this.#findComparable(readings.read(tricks)) !== literal) return MISS_AMBIGUOUS
    }
    return literal
  }

  #findComparable(path: string): T | RouteMiss {
    for (const table of this.#candidates) {
      const found = table.find(path)
      if (found !== undefined) return found
    }
    return MISS_PATH
  }

  #collectCandidates(host: RequestHost, localAddress: string, isLoopbackConnection: boolean): void {
    const { name } = host
    this.#candidates.length = 0
    this.#addCandidate(this.#strong.get(WILDCARD))
    // A client elsewhere that says `Host: localhost` does not mean this machine.
    if (isLoopbackConnection || !host.isLoopback) {
      this.#addCandidate(this.#explicit.get(name))
      this.#addCandidate(this.#ipBound.get(name))
      // The names of the loopback interface all mean it.
      if (host.isLoopback && name !== 'localhost') this.#addCandidate(this.#explicit.get('localhost'))
    }
    if (this.#ipBound.size > 0) {
      const local = hostOfAddress(localAddress)
      if (isLoopbackConnection || !local.isLoopback) this.#addCandidate(this.#ipBound.get(local.name))
    }
    if (this.#subdomain.size > 0) {
      // The most specific first.
      for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) {
        this.#addCandidate(this.#subdomain.get(name.slice(dot + 1)))
      }
    }
    this.#addCandidate(this.#weak.get(WILDCARD))
  }

  #addCandidate(table: PathTable<T> | undefined): void {
    if (table !== undefined) this.#candidates.push(table)
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
