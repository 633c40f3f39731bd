import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Peer } from './peer.ts'

/** A server in C that answers by itself: what the kernel's TCP takes, whatever the program. */
export const cEpoll: Peer = {
  name: 'c-epoll',
  title: () => 'C and epoll, answers by itself',
  routes: false,
  unavailable: () => (spawnSync('cc', ['--version']).error === undefined ? undefined : 'there is no C compiler'),
  start: async ({ group, directory }) => {
    const program = join(directory, 'epoll-hello')
    const source = fileURLToPath(new URL('../../peers/epoll-hello.c', import.meta.url))
    const { status, stderr } = spawnSync('cc', ['-O2', '-o', program, source], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`epoll-hello.c can't be compiled: ${stderr.trim()}`)
    return Number(await group.startReady({ role: 'server', command: [program] }))
  },
}
