// Compiled by `npm run typecheck`, never run: what TypeScript must accept for both versions.
import type { Server } from 'node:http'
import express from 'express'
import express4 from 'express4'
import httpsys from '../src/index.ts'
import { HttpSysError, UrlPrefix } from '../src/index.ts'

const prefix: UrlPrefix = httpsys.prefix('/2/', { strip: false, mode: 'attach', base: 'http://localhost:8080' })

express().listen(prefix) satisfies Server
express().listen(prefix, () => {}) satisfies Server
express().listen(prefix, (error) => (error as HttpSysError | undefined)?.remedy satisfies string | undefined)
express4().listen(prefix) satisfies Server
express4().listen(prefix, () => {}) satisfies Server

express().get('/', (_req, res) => {
  res.cachePolicy = { ttl: 60 }
  res.cachePolicy = { untilInvalidated: true }
  // @ts-expect-error -- one or the other
  res.cachePolicy = { ttl: 60, untilInvalidated: true }
})
void (httpsys.flushResponseCache(prefix, 'news/') satisfies Promise<void>)

// @ts-expect-error -- there is no such mode
httpsys.prefix('/2/', { mode: 'share' })
// @ts-expect-error -- a port is what the prefix replaces
httpsys.prefix(3000)
