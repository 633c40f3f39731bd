import type { Scenario } from '../scenario.ts'
import { body16m, body64k, upload } from './bodies.ts'
import { cached } from './cached.ts'
import { express, fastify, koa } from './frameworks.ts'
import { browser, connections, few, mix, moderate, single } from './hello.ts'
import { idle } from './idle.ts'
import { prefixes } from './prefixes.ts'
import { http2, https } from './secure.ts'
import { startUp } from './start-up.ts'
import { chat, echo } from './websockets.ts'

/** Every scenario, the default one first. */
export const SCENARIOS: readonly Scenario[] = [
  mix,
  single,
  browser,
  few,
  connections,
  moderate,
  express,
  koa,
  fastify,
  https,
  http2,
  cached,
  body64k,
  body16m,
  upload,
  echo,
  chat,
  idle,
  startUp,
  prefixes,
]
