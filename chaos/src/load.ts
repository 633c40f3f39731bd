import { ChatClient, HttpClient, PipeliningClient } from './clients.ts'
import type { Client, Ground } from './clients.ts'
import type { Journal } from './journal.ts'
import { Random } from './random.ts'
import { PREFIXES } from './site.ts'

/** Makes a client. */
export type Kind = (ground: Ground) => Client

const KINDS: readonly Kind[] = [
  ...times(12, (ground) => new HttpClient(ground)),
  ...times(2, (ground) => new PipeliningClient(ground)),
  ...times(2, (ground) => new ChatClient(ground)),
]

/** So many clients of a kind. */
export function times(count: number, kind: Kind): Kind[] {
  return Array.from({ length: count }, () => kind)
}

/** Clients that go on until they are stopped; each finishes its last request. */
export function startLoad(
  port: number,
  seed: number,
  journal: Journal,
  kinds: readonly Kind[] = KINDS,
): { stop: () => Promise<void> } {
  let isOver = false
  const clients = kinds.map((make, index) => {
    return make({ port, prefixes: PREFIXES, random: new Random(seed + 1 + index), journal })
  })
  const running = clients.map(async (client) => {
    while (!isOver) await client.step()
    client.close()
  })
  const stop = async (): Promise<void> => {
    isOver = true
    await Promise.all(running)
  }
  return { stop }
}
