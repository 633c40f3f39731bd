import { HELLO } from '../apps/hello.ts'
import { cEpoll } from '../peers/c-epoll.ts'
import { httpsys } from '../peers/httpsys.ts'
import { nginx } from '../peers/nginx.ts'
import type { Peer } from '../peers/peer.ts'
import { httpScenario } from './http-scenario.ts'

/** What answers without waking the app, next to the same without a cache. */
export const cached = httpScenario({
  name: 'cached',
  title: 'Cached hello world, eight owners',
  about:
    'The mix, with responses that say `Cache-Control: public, max-age=60`, out of the response cache, out of nginx’s `proxy_cache`, and without either.',
  app: 'cached',
  answerBytes: HELLO.length,
  references: ['nginx', 'httpsys'],
  peers: [nginx, httpsys, withCache(httpsys, 'response cache'), withCache(nginx, 'proxy_cache'), cEpoll],
})

function withCache(peer: Peer, what: string): Peer {
  return {
    ...peer,
    name: `${peer.name}-cache`,
    title: (app) => `${peer.title(app)}, ${what}`,
    start: (launch, app, options) => peer.start(launch, app, { ...options, cache: true }),
  }
}
