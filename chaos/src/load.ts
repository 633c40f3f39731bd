import { ChatClient, HttpClient, PipeliningClient } from './clients.ts'
import type { Journal } from './journal.ts'
import { Random } from './random.ts'
import { PREFIXES } from './site.ts'

const KINDS = [
  ...Array.from({ length: 12 }, () => HttpClient),
  PipeliningClient,
  PipeliningClient,
  ChatClient,
  ChatClient,
]

/** Clients that go on until they are stopped; each finishes its last request. */
export function startLoad(port: number, seed: number, journal: Journal): { stop: () => Promise<void> } {
  let isOver = false
  const clients = KINDS.map((Kind, index) => {
    return new Kind({ port, prefixes: PREFIXES, random: new Random(seed + 1 + index), journal })
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
