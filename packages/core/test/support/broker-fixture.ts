import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '../../src/broker/daemon/broker.ts'
import type { BrokerOptions } from '../../src/broker/daemon/broker-options.ts'
import { openEngine } from '../../src/broker/engine/open-engine.ts'
import { publish } from '../../src/broker/rendezvous/generations.ts'

/** A broker in this process, in a runtime directory of its own, which `HTTPSYS_RUNTIME_DIR` names until it is closed. */
export interface BrokerFixture extends AsyncDisposable {
  readonly directory: string
  readonly broker: Broker
  /** Owners that were cut off, and why. */
  readonly violations: unknown[]
  close(): Promise<void>
}

export async function startBroker(options: Partial<BrokerOptions> = {}): Promise<BrokerFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'httpsys-test-'))
  const violations: unknown[] = []
  const socketPath = join(directory, 'private.sock')
  const broker = await Broker.start({
    engine: openEngine(process.env['HTTPSYS_ENGINE']).engine,
    local: { kind: 'local', path: socketPath },
    runtimeDirectory: directory,
    configDirectory: directory,
    onViolation: (_pid, error) => violations.push(error),
    ...options,
  })
  await publish(directory, socketPath)
  const before = process.env['HTTPSYS_RUNTIME_DIR']
  process.env['HTTPSYS_RUNTIME_DIR'] = directory
  const close = async (): Promise<void> => {
    if (before === undefined) delete process.env['HTTPSYS_RUNTIME_DIR']
    else process.env['HTTPSYS_RUNTIME_DIR'] = before
    await broker.close()
    // An owner that has just lost this broker looks for another one here, and leaves its mark.
    await rm(directory, { recursive: true, force: true, maxRetries: 10 })
  }
  return { directory, broker, violations, close, [Symbol.asyncDispose]: close }
}
