import type { RoomProcess } from './room-process.ts'

const COLUMNS = ['prefix', 'pid', 'rooms', 'connections', 'requests', 'state'] as const
const WIDTHS = [8, 9, 7, 13, 10, 0]

/** The processes as lines of text. */
export function formatTable(processes: readonly RoomProcess[]): string[] {
  return [row(COLUMNS), ...processes.map(line)]
}

/** Keeps the table in place on a terminal; elsewhere prints the lines that have changed in what matters. */
export class LiveTable {
  readonly #output: NodeJS.WriteStream
  #height = 0
  readonly #printed = new Map<number, string>()

  constructor(output: NodeJS.WriteStream) {
    this.#output = output
  }

  show(processes: readonly RoomProcess[]): void {
    if (this.#output.isTTY) return this.#redraw(formatTable(processes))
    for (const process of processes) {
      // Counters change all the time; a log wants to know who lives and who does not.
      const news = `/${process.number}/ pid ${process.pid ?? '-'} ${describe(process)}`
      if (process.state === 'starting' || this.#printed.get(process.number) === news) continue
      this.#printed.set(process.number, news)
      this.#output.write(`${news}\n`)
    }
  }

  #redraw(lines: string[]): void {
    const up = this.#height > 0 ? `\u001b[${this.#height}A` : ''
    this.#height = lines.length
    this.#output.write(up + lines.map((text) => `\u001b[2K${text}\n`).join(''))
  }
}

function line(process: RoomProcess): string {
  const { status } = process
  const values = [status?.rooms, status?.connections, status?.requests].map((value) => value ?? '-')
  return row([`/${process.number}/`, process.pid ?? '-', ...values, describe(process)])
}

function describe(process: RoomProcess): string {
  const again = process.restarts > 0 ? ` (restarted ${process.restarts} ×)` : ''
  return (process.state === 'waiting' ? 'died, starting again' : process.state) + again
}

function row(cells: readonly (string | number)[]): string {
  return cells.map((cell, index) => String(cell).padEnd(WIDTHS[index]!)).join('')
}
