import { HELLO } from '../apps/hello.ts'
import { h2load, isH2loadInstalled } from '../loads/h2load.ts'
import { isOpensslInstalled } from '../peers/certificate.ts'
import { httpsys } from '../peers/httpsys.ts'
import { nginx } from '../peers/nginx.ts'
import type { Peer } from '../peers/peer.ts'
import { httpScenario } from './http-scenario.ts'

const common = { app: 'hello', answerBytes: HELLO.length, references: ['nginx'], options: { tls: true } } as const

/** A peer where there are the programs that the scenario needs besides. */
function needing(peer: Peer, ...needs: readonly (readonly [string, () => boolean])[]): Peer {
  const missing = (): string | undefined => {
    const need = needs.find(([, isInstalled]) => !isInstalled())
    return need === undefined ? undefined : `${need[0]} is not installed`
  }
  return { ...peer, unavailable: () => peer.unavailable() ?? missing() }
}

const OPENSSL = ['openssl', isOpensslInstalled] as const
const H2LOAD = ['h2load (nghttp2-client)', isH2loadInstalled] as const

export const https = httpScenario({
  ...common,
  name: 'https',
  title: 'HTTPS: hello world, eight owners',
  about:
    'The mix over TLS 1.3, HTTP/1.1 on keep-alive connections; the broker and nginx decrypt in front of the owners.',
  peers: [httpsys, nginx].map((peer) => needing(peer, OPENSSL)),
})

export const http2 = httpScenario({
  ...common,
  name: 'http2',
  title: 'HTTP/2: hello world, eight owners',
  about: 'Over TLS 1.3, ten streams at a time on each connection, which ask all eight prefixes in turn; h2load asks.',
  peers: [httpsys, nginx].map((peer) => needing(peer, OPENSSL, H2LOAD)),
  load: h2load,
})
