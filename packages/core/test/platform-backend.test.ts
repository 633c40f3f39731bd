import { afterEach, expect, test, vi } from 'vitest'
import { prefix } from '../src/base/url-prefix.ts'
import type { ExchangeListener } from '../src/queue/exchange.ts'

const real = Object.getOwnPropertyDescriptor(process, 'platform')!
const loaded = vi.hoisted(() => ({ native: 0, libraries: [] as string[] }))

vi.mock('../src/native/open-native-queue.ts', () => {
  loaded.native++
  return { nativeBackend: { open: () => Promise.resolve('a queue of HTTP.SYS') } }
})
vi.mock('koffi', () => ({
  default: {
    load: (name: string) => {
      loaded.libraries.push(name)
      throw new Error(`${name} was loaded`)
    },
  },
}))

async function backendOn(platform: string): Promise<typeof import('../src/platform-backend.ts').platformBackend> {
  vi.resetModules()
  Object.defineProperty(process, 'platform', { ...real, value: platform })
  return (await import('../src/platform-backend.ts')).platformBackend
}

afterEach(() => {
  Object.defineProperty(process, 'platform', real)
  loaded.native = 0
  loaded.libraries.length = 0
})

test('on Windows HTTP.SYS is chosen, loaded with the first prefix, and nothing of the C library with it', async () => {
  const backend = await backendOn('win32')
  expect(loaded).toEqual({ native: 0, libraries: [] })
  expect(backend.reserve(prefix('/2/'))).toBeUndefined()
  expect(loaded).toEqual({ native: 0, libraries: [] })
  expect(await backend.open(prefix('/2/'), {} as ExchangeListener)).toBe('a queue of HTTP.SYS')
  expect(loaded).toEqual({ native: 1, libraries: [] })
})

test.each(['linux', 'darwin'])('on %s the broker is chosen, and nothing of Windows loaded', async (platform) => {
  const backend = await backendOn(platform)
  const { brokerBackend } = await import('../src/broker/client/open-broker-queue.ts')
  expect(backend).toBe(brokerBackend)
  expect(loaded).toEqual({ native: 0, libraries: [] })
})
