import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import tls from 'node:tls'
import { describe, expect, test } from 'vitest'
import httpsys from '../../src/index.ts'

describe.each<[string, () => net.Server]>([
  ['https.Server', () => https.createServer()],
  ['a server of http2', () => http2.createServer() as unknown as net.Server],
  ['a secure server of http2', () => http2.createSecureServer() as unknown as net.Server],
  ['tls.Server', () => tls.createServer()],
  ['net.Server', () => net.createServer()],
])('%s', (_what, create) => {
  test('refuses a prefix instead of listening on its port', () => {
    const server = create()
    const listen = () => server.listen(httpsys.prefix('http://localhost:0/2/'))
    expect(listen).toThrow(
      expect.objectContaining({ name: 'HttpSysError', code: 'EINVAL', subject: 'http://localhost:0/2/' }),
    )
    expect(server.listening).toBe(false)
  })

  test('listens on a port as ever', async () => {
    const server = create().listen(0, '127.0.0.1')
    await once(server, 'listening')
    expect((server.address() as net.AddressInfo).port).toBeGreaterThan(0)
    server.close()
    await once(server, 'close')
  })
})
