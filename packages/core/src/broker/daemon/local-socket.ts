import { chmodSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Endpoint } from '../engine/engine.ts'
import { publish } from '../rendezvous/generations.ts'
import { clearStartMark } from '../rendezvous/start-mark.ts'

/**
 * Where owners will connect: in a directory that nobody looks into, until it is published.
 *
 * prepared ──listen──▶ listening ──publish──▶ found by owners
 */
export class LocalSocket {
  readonly endpoint: Endpoint
  readonly #directory: string
  readonly #nursery: string
  readonly #path: string

  static async prepare(directory: string): Promise<LocalSocket> {
    return new LocalSocket(directory, await mkdtemp(join(directory, '.s')))
  }

  private constructor(directory: string, nursery: string) {
    this.#directory = directory
    this.#nursery = nursery
    this.#path = join(nursery, 's')
    this.endpoint = { kind: 'local', path: this.#path }
  }

  /**
   * Makes the broker that listens here the one that is found.
   *
   * @param isShared - processes of other users may connect
   * @returns false when another one is alive
   */
  async publish(isShared: boolean): Promise<boolean> {
    if (isShared) chmodSync(this.#path, 0o666)
    const path = await publish(this.#directory, this.#path)
    await rm(this.#nursery, { recursive: true, force: true })
    clearStartMark(this.#directory)
    return path !== undefined
  }
}
