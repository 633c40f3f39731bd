import { beforeEach, expect, test } from 'vitest'
import { UrlPrefix } from '../../../src/base/url-prefix.ts'
import { PrivatePort } from '../../../src/broker/daemon/http1/private-port.ts'
import { PrivatePorts } from '../../../src/broker/daemon/private-ports.ts'
import { RequestQueueEntry } from '../../../src/broker/daemon/request-queue-entry.ts'
import type { OwnerClaim } from '../../../src/broker/daemon/request-queue-entry.ts'

const limits = { headersTimeout: 0, requestTimeout: 0, maxHeaderBytes: 0 }

function prefixOf(host: string): UrlPrefix {
  return UrlPrefix.parse(`http://${host}:80/`)
}

/** What a thread is told. */
const changes: [port: number, isPrivate: boolean][] = []
beforeEach(() => void changes.splice(0))

/** Private ports 80 of the hosts, and their claims. */
function portsOf(...hosts: string[]): { ports: PrivatePorts; claims: OwnerClaim[] } {
  const ports = new PrivatePorts((port, isPrivate) => changes.push([port, isPrivate]))
  const claims = hosts.map((host, id): OwnerClaim => {
    const entry = new RequestQueueEntry(prefixOf(host), 80)
    return { peer: {} as never, id, entry, mode: 'create', epoch: 1 }
  })
  for (const claim of claims) ports.add(new PrivatePort(claim, limits))
  return { ports, claims }
}

test('a connection belongs to the port of its address, else to that of all', () => {
  const { ports, claims } = portsOf('127.0.0.1', '[::1]', '*')
  const found = (address: string): number => claims.indexOf(ports.find(80, address)!.claim)
  expect(['127.0.0.1', '::ffff:127.0.0.1', '::1', '10.0.0.1'].map(found)).toEqual([0, 0, 1, 2])
  expect(ports.find(81, '127.0.0.1')).toBeUndefined()
})

test('no other claim may have a private port, but a private one of another address', () => {
  const { ports } = portsOf('127.0.0.1')
  const isTaken = (host: string, isPrivate: boolean): boolean => ports.isTaken(prefixOf(host), 80, isPrivate)
  expect([isTaken('localhost', false), isTaken('*', false), isTaken('127.0.0.1', true)]).toEqual([true, true, true])
  expect([isTaken('[::1]', true), ports.isTaken(prefixOf('*'), 81, false)]).toEqual([false, false])
})

test('a claim that is gone frees its port, and a stranger does not', () => {
  const { ports, claims } = portsOf('127.0.0.1')
  ports.remove(portsOf('127.0.0.1').claims[0]!)
  expect(ports.find(80, '127.0.0.1')).toBeDefined()
  ports.remove(claims[0]!)
  expect(ports.find(80, '127.0.0.1')).toBeUndefined()
})

test('that a port is private, and is no more, is told once, whatever addresses it has', () => {
  const { ports, claims } = portsOf('127.0.0.1', '[::1]')
  expect(changes).toEqual([[80, true]])
  ports.remove(claims[0]!)
  expect(changes).toEqual([[80, true]])
  ports.remove(claims[1]!)
  expect(changes).toEqual([
    [80, true],
    [80, false],
  ])
})
