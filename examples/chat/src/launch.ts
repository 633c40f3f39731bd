import httpsys from '@httpsys/express'
import { RoomProcess } from './room-process.ts'
import { LiveTable } from './table.ts'

const count = readCount(process.env['CHAT_PROCESSES'] ?? '8')
if (process.env['PORT'] !== undefined) process.env['HTTPSYS_BASE'] ??= `http://localhost:${process.env['PORT']}`
checkBase()

const table = new LiveTable(process.stdout)
let isStopping = false
let isReady = false
const processes = Array.from({ length: count }, (_, index) => new RoomProcess(index + 1, onChange))

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(0))
for (const room of processes) room.start()

function onChange(): void {
  if (isStopping) return
  const failed = processes.find((room) => room.state === 'failed')
  if (failed !== undefined) return fail(failed)
  if (!isReady) {
    if (processes.some((room) => room.port === 0)) return
    isReady = true
    announce(processes[0]!.port)
  }
  table.show(processes)
}

function announce(port: number): void {
  console.log(`\n${count} processes share port ${port}. Open a room in two browsers:\n`)
  for (const room of processes) console.log(`  http://localhost:${port}/${room.number}/lobby`)
  console.log('\nCtrl-C stops them all.\n')
}

function fail(room: RoomProcess): void {
  console.error(`The chat can't start: ${room.failure}`)
  console.error('To use another port: PORT=9090 npm start')
  void stop(1)
}

async function stop(code: number): Promise<void> {
  const signal = isStopping ? 'SIGKILL' : 'SIGTERM'
  isStopping = true
  await Promise.all(processes.map((room) => room.stop(signal)))
  process.exit(code)
}

/** Says once what eight processes would say otherwise. */
function checkBase(): void {
  try {
    httpsys.prefix('/1/')
  } catch (error) {
    console.error((error as Error).message)
    process.exit(1)
  }
}

function readCount(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text)
  console.error(`CHAT_PROCESSES is "${text}": give a number from 1 to 999.`)
  process.exit(1)
}
