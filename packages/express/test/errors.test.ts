import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HttpSysError } from '@httpsys/core'
import express5 from 'express'
import type { ErrorRequestHandler } from 'express'
import { describe, expect, test } from 'vitest'
import httpsys from '../src/index.ts'
import { mount, portOf, useBroker, versions } from './support/mount.ts'

useBroker()

const answerError: ErrorRequestHandler = (error: Error, req, res, _next) =>
  void res.status(500).send(`caught ${error.message} at ${req.originalUrl}`)

describe.each(versions)('errors in %s', (_version, express) => {
  test('reach the error handler, thrown or passed on', async () => {
    const app = express()
    app.get('/thrown', () => {
      throw new Error('thrown')
    })
    app.get('/passed', (_req, _res, next) => void setImmediate(() => next(new Error('passed'))))
    app.use(answerError)
    const base = await mount(app)
    for (const kind of ['thrown', 'passed']) {
      const response = await fetch(`${base}/${kind}`)
      expect([response.status, await response.text()]).toEqual([500, `caught ${kind} at /2/${kind}`])
    }
  })

  test('without a handler are answered with their status', async () => {
    const app = express().set('env', 'test')
    app.get('/', () => {
      throw Object.assign(new Error('short and stout'), { status: 418 })
    })
    const response = await fetch(await mount(app))
    expect([response.status, await response.text()]).toEqual([418, expect.stringContaining('short and stout')])
  })

  test('after the response has begun break the connection, so that nobody takes the half for the whole', async () => {
    const app = express().set('env', 'test')
    app.get('/', (_req, res, next) => void res.write('begun', () => next(new Error('too late'))))
    const response = await fetch(await mount(app))
    await expect(response.text()).rejects.toThrow('terminated')
  })
})

describe.each(versions)('listen of %s', (_version, express) => {
  test('calls back when the prefix is claimed', async () => {
    const app = express().get('/', (_req, res) => void res.send('here'))
    let server!: Server
    await new Promise<void>((resolve) => {
      server = app.listen(httpsys.prefix('http://localhost:0/2/'), () => resolve())
    })
    const { port, prefix } = server.address() as AddressInfo & { prefix: string }
    expect(prefix).toBe(`http://localhost:${port}/2/`)
    expect(await (await fetch(prefix)).text()).toBe('here')
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })

  test('a taken prefix is an error that names it and says what to do', async () => {
    const base = await mount(express())
    const second = express().listen(httpsys.prefix(`${base}/`))
    const [error] = (await once(second, 'error')) as [HttpSysError]
    expect(error).toBeInstanceOf(HttpSysError)
    expect(error).toMatchObject({ code: 'EADDRINUSE', subject: `http://localhost:${portOf(base)}/2/` })
    expect(error.remedy).toContain("mode: 'attach'")
  })
})

test('Express 5 gives rejections of async handlers to the error handler', async () => {
  const app = express5()
  app.get('/', async () => {
    await Promise.resolve()
    throw new Error('rejected')
  })
  app.use(answerError)
  expect(await (await fetch(await mount(app))).text()).toBe('caught rejected at /2')
})

test('Express 5 gives a taken prefix to the callback of listen', async () => {
  const base = await mount(express5())
  const error = await new Promise((resolve) => express5().listen(httpsys.prefix(`${base}/`), resolve))
  expect(error).toMatchObject({ code: 'EADDRINUSE', subject: `${base}/` })
})
