import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Listens on a free loopback port and prints it. */
export function listenAnywhere(server: Server): void {
  // nginx keeps its upstream connections; one that Node closes in the same moment would be a 502 and spoil the run.
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
}
