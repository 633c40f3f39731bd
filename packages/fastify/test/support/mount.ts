import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import type { FastifyHttpOptions, FastifyInstance } from 'fastify'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { startBroker } from '../../../core/test/support/broker-fixture.ts'
import type { BrokerFixture } from '../../../core/test/support/broker-fixture.ts'
import httpsys from '../../src/index.ts'
import type { PrefixOptions } from '../../src/index.ts'

type Options = FastifyHttpOptions<Server>

/** A way to bring an app to a prefix. */
export interface Way {
  create(prefix: string, options?: Options, prefixOptions?: PrefixOptions): FastifyInstance
  listen(app: FastifyInstance, prefix: string, prefixOptions?: PrefixOptions): Promise<string>
}

export const ways: [string, Way][] = [
  [
    'app.listen(prefix)',
    {
      create: (_prefix, options) => fastify(options),
      listen: (app, prefix, prefixOptions) => app.listen(httpsys.prefix(prefix, prefixOptions)),
    },
  ],
  [
    'the plugin',
    {
      create: (prefix, options, prefixOptions) => {
        const app = fastify(options)
        app.register(httpsys.plugin, { prefix, ...prefixOptions })
        return app
      },
      // The port is not looked at.
      listen: (app) => app.listen({ port: 1 }),
    },
  ],
  [
    'the server factory',
    {
      create: (prefix, options, prefixOptions) =>
        fastify({ ...options, serverFactory: httpsys.serverFactory(prefix, prefixOptions) }),
      listen: (app) => app.listen(),
    },
  ],
]

let fixture: BrokerFixture
const apps: FastifyInstance[] = []

/** Gives the tests of a file a broker, and closes after each test what was mounted in it. */
export function useBroker(): void {
  beforeAll(async () => {
    fixture = await startBroker()
  })
  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close()
  })
  afterAll(async () => {
    expect(fixture.violations).toEqual([])
    await fixture.close()
  })
}

/** A prefix on a free port, unless one is named. */
export function onPort(port = 0): string {
  return `http://localhost:${port}/f/`
}

/** Closes the app after the test. */
export function closing<App extends FastifyInstance>(app: App): App {
  apps.push(app)
  return app
}

/** The URL of the prefix that an app listens on, without its final slash. */
export function baseOf(app: FastifyInstance): string {
  return (app.server.address() as AddressInfo & { prefix: string }).prefix.slice(0, -1)
}

/** Starts an app with `app.listen(prefix)`; returns the URL of the prefix without its final slash. */
export async function mount(app: FastifyInstance, options: PrefixOptions = {}): Promise<string> {
  await closing(app).listen(httpsys.prefix(onPort(), options))
  return baseOf(app)
}

/** A promise to be resolved from outside. */
export function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((onDone) => (resolve = onDone))
  return { promise, resolve }
}
