import type { UrlPrefix } from '../../base/url-prefix.ts'
import type { PeerCredentials } from '../../sockets/peer-credentials.ts'
import type { Endpoint, Engine } from '../engine/engine.ts'
import type { Delivery } from '../rings/delivery.ts'
import type { Http2Choice } from './http2/http2-choice.ts'
import type { InheritedClaim } from '../rendezvous/estate.ts'
import type { ServerLimits } from './server-limits.ts'

/** Settings of a broker. */
export interface BrokerOptions {
  readonly engine: Engine
  /** What has kept the broker from the best there is. */
  readonly engineNote?: string | undefined
  /** Where owner processes connect: a local socket. A successor is told later, see {@link Broker.listenForOwners}. */
  readonly local?: Endpoint | undefined
  /** How owners are served; as each of them asks, unless said otherwise. */
  readonly delivery?: Delivery | undefined
  /** Descriptors that the broker may have at a time; what the system says, unless given. */
  readonly descriptorLimit?: number
  /** How many threads have clients; 1 unless said otherwise, and where the engine can't share them. */
  readonly threads?: number
  /** Those not given are HTTP.SYS's. */
  readonly limits?: Partial<ServerLimits>
  /** Says why a process of these credentials may not claim a prefix. @throws HttpSysError `EACCES` */
  readonly authorize?: (credentials: PeerCredentials | undefined, prefix: UrlPrefix) => void
  /** Where `sslcert.json` is; without it there is no TLS. */
  readonly configDirectory?: string
  /** Where keys are kept that threads and successors share. */
  readonly runtimeDirectory: string
  /** Where HTTP/2 is spoken. @defaultValue `tls` */
  readonly http2?: Http2Choice | undefined
  /** How long a TLS handshake may take; milliseconds. @defaultValue 10000 */
  readonly handshakeTimeout?: number | undefined
  /** Called with a sentence for whoever reads the log. */
  readonly onProblem?: (text: string) => void
  /** Called when an owner process broke the protocol and was cut off. */
  readonly onViolation?: (pid: number, error: unknown) => void
  /** Starts a successor as the payload of UPGRADE says, which resolves to its process, and lets this broker leave. No claim is granted meanwhile. */
  readonly onUpgrade?: (payload: string) => Promise<number>
  /** Called whenever a prefix is claimed, before its process is told, or is free again. */
  readonly onClaimsChanged?: (claimed?: InheritedClaim) => void
  /** Called whenever the last owner process and the last claim have gone, and when owners can connect and there is neither. */
  readonly onIdle?: () => void
}
