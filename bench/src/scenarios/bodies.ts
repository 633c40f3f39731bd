import { haproxy } from '../peers/haproxy.ts'
import { httpsys } from '../peers/httpsys.ts'
import { nginx } from '../peers/nginx.ts'
import { node } from '../peers/node.ts'
import { httpScenario } from './http-scenario.ts'

const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE
const common = { app: 'bodies', peers: [node, httpsys, nginx, haproxy], references: ['node', 'nginx'] } as const

export const body64k = httpScenario({
  ...common,
  name: 'body-64k',
  title: 'Responses of 64 KiB',
  about: 'Eight owners, each response a buffer of 64 KiB.',
  request: { path: `bytes/${64 * KIBIBYTE}` },
  answerBytes: 64 * KIBIBYTE,
  bytes: 'down',
  connections: 16,
})

export const body16m = httpScenario({
  ...common,
  name: 'body-16m',
  title: 'Responses of 16 MiB',
  about: 'Eight owners, each response a buffer of 16 MiB, on eight connections.',
  request: { path: `bytes/${16 * MEBIBYTE}` },
  answerBytes: 16 * MEBIBYTE,
  bytes: 'down',
  connections: 8,
})

export const upload = httpScenario({
  ...common,
  name: 'upload',
  title: 'Uploads of 1 MiB',
  about: 'Eight owners, each request a POST with a body of 1 MiB that the app reads and counts.',
  request: { method: 'POST', path: 'upload', body: 'x'.repeat(MEBIBYTE) },
  answerBytes: String(MEBIBYTE).length,
  bytes: 'up',
  connections: 8,
})
