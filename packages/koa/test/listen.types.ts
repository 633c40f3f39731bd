// Compiled by `npm run typecheck`, never run: what TypeScript must accept for both versions.
import type { Server } from 'node:http'
import Koa from 'koa'
import Koa2 from 'koa2'
import httpsys from '../src/index.ts'
import { UrlPrefix } from '../src/index.ts'

const prefix: UrlPrefix = httpsys.prefix('/2/', { strip: false, mode: 'attach', base: 'http://localhost:8080' })

new Koa().listen(prefix) satisfies Server
new Koa().listen(prefix, () => {}) satisfies Server
new Koa2().listen(prefix) satisfies Server
new Koa2().listen(prefix, () => {}) satisfies Server

// @ts-expect-error -- there is no such mode
httpsys.prefix('/2/', { mode: 'share' })
// @ts-expect-error -- a port is what the prefix replaces
httpsys.prefix(3000)
