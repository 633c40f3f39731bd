import { HELLO } from '../apps/hello.ts'
import { cEpoll } from '../peers/c-epoll.ts'
import { cluster } from '../peers/cluster.ts'
import { haproxy } from '../peers/haproxy.ts'
import { httpsys, httpsysNet, httpsysRings } from '../peers/httpsys.ts'
import { nginx } from '../peers/nginx.ts'
import { node } from '../peers/node.ts'
import { fastifyProxy, httpProxy } from '../peers/npm-proxies.ts'
import { httpScenario } from './http-scenario.ts'

const answerBytes = HELLO.length
const common = { app: 'hello', answerBytes, references: ['node', 'nginx'] } as const

/** The article's: what most variants are compared by. */
export const mix = httpScenario({
  ...common,
  name: 'mix',
  title: "The article's mix: hello world, eight owners",
  about:
    'Every keep-alive connection asks all eight prefixes in a shuffled order, so that no connection belongs to one owner.',
  peers: [node, httpsys, httpsysNet, httpsysRings, nginx, haproxy, httpProxy, fastifyProxy, cluster, cEpoll],
})

export const single = httpScenario({
  ...common,
  name: 'single',
  title: 'One prefix',
  about: 'All connections ask one of the eight owners.',
  peers: [node, httpsys, nginx, haproxy],
  owners: [1],
})

export const browser = httpScenario({
  ...common,
  name: 'browser',
  title: "A browser's headers",
  about: 'The mix, with the sixteen header fields of a browser, cookie included.',
  peers: [node, httpsys, nginx, haproxy, httpProxy],
  request: {
    headers: {
      Connection: 'keep-alive',
      'sec-ch-ua': '"Chromium";v="142", "Not=A?Brand";v="24"',
      'sec-ch-ua-mobile': '?0',
      'sec-ch-ua-platform': '"Linux"',
      'Upgrade-Insecure-Requests': '1',
      'User-Agent':
        'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
      Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
      'Sec-Fetch-Site': 'same-origin',
      'Sec-Fetch-Mode': 'navigate',
      'Sec-Fetch-User': '?1',
      'Sec-Fetch-Dest': 'document',
      Referer: 'http://localhost:8080/1/',
      'Accept-Encoding': 'gzip, deflate, br, zstd',
      'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
      Cookie: 'session=0a1b2c3d4e5f60718293a4b5c6d7e8f9; theme=dark; consent=necessary',
    },
  },
})

export const moderate = httpScenario({
  ...common,
  name: 'moderate',
  title: 'Moderate load: 5,000 requests a second',
  about:
    'The mix, sent when a request is due whether or not earlier ones have been answered; a latency counts from that moment, so a stall counts for everybody who would have come. There is little to batch, and wake-ups dominate.',
  peers: [node, httpsys, httpsysNet, httpsysRings, nginx, haproxy],
  rate: 5_000,
})

export const few = httpScenario({
  ...common,
  name: 'few',
  title: 'Four connections',
  about: 'The mix on four connections: hardly anything to batch, every hop is a wake-up.',
  peers: [node, httpsys, nginx, haproxy],
  connections: 4,
})

export const connections = httpScenario({
  ...common,
  name: 'connections',
  title: 'A connection for each request',
  about:
    'The mix, from clients that close after one answer: scripts, health checks, whoever sends `Connection: close`.',
  peers: [node, httpsys, httpsysNet, nginx, haproxy],
  request: { headers: { Connection: 'close' } },
})
