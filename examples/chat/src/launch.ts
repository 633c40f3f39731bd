import { RoomProcess } from './room-process.ts'
import type { Failure } from './room-server.ts'
import { portOf, processCount, readBase, urlOf, withPort } from './settings.ts'
import { LiveTable } from './table.ts'

let { base, count } = readSettings()
const table = new LiveTable(process.stdout)
const watchers = { onChange, onLine: (line: string) => table.log(line) }
const processes = Array.from({ length: count }, (_, index) => new RoomProcess(index + 1, childEnv, watchers))

/** starting ──all listen──▶ running ──▶ stopping; starting ──one can't listen──▶ stopping */
let phase: 'starting' | 'running' | 'stopping' = 'starting'

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(0))

// With port 0 the first process finds a port, and the others join it there.
for (const room of portOf(base) === 0 ? processes.slice(0, 1) : processes) room.start()

function onChange(): void {
  if (phase === 'stopping') return
  const failed = processes.find((room) => room.state === 'failed')
  if (failed !== undefined) return fail(failed)
  if (phase === 'starting') onStartingChange()
  // A log begins with the URLs; on a terminal the table is below them anyway.
  if (phase === 'running' || process.stdout.isTTY) table.show(processes)
}

function onStartingChange(): void {
  const { port } = processes[0]!
  if (portOf(base) === 0 && port !== 0) {
    base = withPort(base, port)
    for (const room of processes.slice(1)) room.start()
  }
  if (processes.every((room) => room.state === 'listening')) {
    phase = 'running'
    announce()
  }
}

function announce(): void {
  const urls = processes.map((room) => `  ${urlOf(base, `/${room.number}/lobby/`)}`)
  const who = count === 1 ? 'One process has' : `${count} processes share`
  table.log(
    `\n${who} port ${portOf(base)}. Open a room in two browsers:\n\n${urls.join('\n')}\n\nCtrl-C stops them all.\n`,
  )
}

function fail({ failure, number, lastEnd }: RoomProcess): void {
  console.error(failure === undefined ? `Process ${number} can't run: ${lastEnd}.` : explain(failure))
  void stop(1)
}

/** Says once, for all processes, why they can't listen. */
function explain({ code, subject, message }: Failure): string {
  if (code !== 'EADDRINUSE') return `The chat can't start: ${message}`
  const port = portOf(base)
  const another = port === 9090 ? 9091 : 9090
  const remedy = process.env['HTTPSYS_BASE']
    ? `Choose another: HTTPSYS_BASE=${withPort(base, another)} npm start`
    : `Choose another: PORT=${another} npm start`
  if (subject === `port ${port}`) return `Port ${port} is taken: another program listens on it. ${remedy}`
  const owner = /process \d+/.exec(message)?.[0] ?? 'another process'
  return `Port ${port} has a chat already: ${owner} has claimed ${subject}. ${remedy}`
}

async function stop(code: number): Promise<void> {
  // Whoever asks twice does not want to wait.
  const isUrgent = phase === 'stopping'
  if (phase === 'running') table.log('Stopping …')
  phase = 'stopping'
  await Promise.all(processes.map((room) => room.stop(isUrgent)))
  process.exit(code)
}

function childEnv(): NodeJS.ProcessEnv {
  return { ...process.env, HTTPSYS_BASE: base, CHAT_PROCESSES: String(count) }
}

function readSettings(): { base: string; count: number } {
  try {
    return { base: readBase(), count: processCount() }
  } catch (error) {
    console.error((error as Error).message)
    process.exit(1)
  }
}
