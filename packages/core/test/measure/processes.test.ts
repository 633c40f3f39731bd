import { randomUUID } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { freePort, portOpens } from '../../src/measure/ports.ts'
import { membersOf, type ProcessEntry, ProcessGroup, readMembersCpu } from '../../src/measure/processes.ts'

const isLinux = process.platform === 'linux'

function entry(pid: number, parent: number, marked = false): ProcessEntry {
  return { pid, parent, marked }
}

describe('the members of a group', () => {
  const roots = [
    { pid: 10, role: 'workers', childRole: 'broker' },
    { pid: 11, role: 'workers', childRole: 'broker' },
  ]

  test('are the roots, their descendants and detached processes with the mark, but nobody else', () => {
    const table = [
      entry(1, 0),
      entry(10, 1),
      entry(11, 1),
      entry(12, 10),
      entry(13, 12),
      entry(20, 1, true),
      entry(21, 1),
    ]
    expect(membersOf(roots, table)).toEqual([
      { pid: 10, role: 'workers' },
      { pid: 11, role: 'workers' },
      { pid: 12, role: 'broker' },
      { pid: 13, role: 'broker' },
      { pid: 20, role: 'broker' },
    ])
  })

  test('keep their own role although they carry the mark too', () => {
    expect(membersOf(roots, [entry(10, 1, true), entry(11, 1, true)])).toEqual([
      { pid: 10, role: 'workers' },
      { pid: 11, role: 'workers' },
    ])
  })

  test('are found by the mark when every root is gone', () => {
    expect(membersOf([], [entry(1, 0), entry(20, 1, true)])).toEqual([{ pid: 20, role: 'left over' }])
  })
})

describe.skipIf(!isLinux)('a group of real processes (needs /proc)', () => {
  const node = process.execPath
  const create = (): ProcessGroup => {
    const group = new ProcessGroup(undefined, ['HTTPSYS_BENCH_TEST', randomUUID()])
    onTestFinished(() => group.killNow())
    return group
  }

  test('counts and stops a daemon that one of them left behind', async () => {
    const group = create()
    const daemon = `setInterval(() => {}, 1000)`
    const script = `
      const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(daemon)}], { detached: true, stdio: 'ignore' })
      child.unref()
      console.log(child.pid)
      setInterval(() => {}, 1000)`
    const pid = Number(await group.startReady({ role: 'workers', childRole: 'broker', command: [node, '-e', script] }))
    const members = group.members()
    expect(members.map((member) => member.role)).toEqual(['workers', 'broker'])
    expect(members[1]?.pid).toBe(pid)
    expect(readMembersCpu(members)?.every((cpu) => cpu.nanoseconds > 0)).toBe(true)

    await group.stop()
    expect(group.members()).toEqual([])
    await group.stop()
  })

  test('kills what does not stop when asked', async () => {
    const group = create()
    const script = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('deaf')`
    await group.startReady({ role: 'server', command: [node, '-e', script] })
    await group.stop()
    expect(group.members()).toEqual([])
  })

  test('tells at once that a process ended before it was ready', async () => {
    const starting = create().startReady({ role: 'server', command: [node, '-e', 'process.exitCode = 3'] })
    await expect(starting).rejects.toThrow('A server process ended with 3 before it was ready')
  })

  test('tells at once that a program does not exist', async () => {
    await expect(create().startReady({ role: 'server', command: ['/nowhere/node'] })).rejects.toThrow('ENOENT')
  })

  test('shows what a program said that ended instead of opening its port', async () => {
    const script = `console.error('no such option'); process.exitCode = 1`
    const starting = create().startOn({ role: 'proxy', command: [node, '-e', script] }, await freePort())
    await expect(starting).rejects.toThrow('A proxy process ended with 1: no such option')
  })

  test('returns once a program has opened its port', async () => {
    const port = await freePort()
    const script = `setTimeout(() => require('node:net').createServer().listen(${port}, '127.0.0.1'), 50)`
    await create().startOn({ role: 'proxy', command: [node, '-e', script] }, port)
    await portOpens(port)
  })
})
