import { styleText } from 'node:util'
import type { RoomProcess, State } from './room-process.ts'

const COLUMNS = ['prefix', 'pid', 'rooms', 'connections', 'requests', 'state'] as const
const WIDTHS = [8, 10, 8, 14, 11, 0]

const COLORS: Record<State, Parameters<typeof styleText>[0]> = {
  idle: 'gray',
  starting: 'yellow',
  listening: 'green',
  waiting: 'red',
  failed: 'red',
  stopped: 'gray',
}

/** What the table shows of a process. */
export type TableEntry = Pick<RoomProcess, 'number' | 'pid' | 'status' | 'state' | 'lastEnd' | 'restarts' | 'delayMs'>

/** Where the table is drawn. */
export type TableOutput = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns' | 'rows'>

/** Keeps a table in place on a terminal, below everything else; elsewhere prints the lines of which something has changed. */
export class LiveTable {
  readonly #output: TableOutput
  readonly #printed = new Map<number, string>()
  #entries: readonly TableEntry[] = []
  #drawn: readonly string[] = []

  constructor(output: TableOutput) {
    this.#output = output
  }

  show(entries: readonly TableEntry[]): void {
    this.#entries = entries
    if (this.#fits()) return this.#redraw('')
    this.#drawn = []
    for (const entry of entries) this.#print(entry)
  }

  /** Writes lines that stay. */
  log(text: string): void {
    if (this.#drawn.length > 0) this.#redraw(`${text}\n`)
    else this.#output.write(`${text}\n`)
  }

  /** A table taller than the terminal can't be redrawn in place. */
  #fits(): boolean {
    return this.#output.isTTY && this.#entries.length + 2 < this.#output.rows
  }

  #redraw(above: string): void {
    const width = this.#output.columns - 1
    const lines = [bold(row(COLUMNS).slice(0, width)), ...this.#entries.map((entry) => paint(entry, width))]
    if (
      above === '' &&
      lines.length === this.#drawn.length &&
      lines.every((text, index) => text === this.#drawn[index])
    )
      return
    const clear = this.#drawn.length > 0 ? `\u001b[${this.#drawn.length}A\u001b[J` : ''
    this.#output.write(`${clear}${above}${lines.join('\n')}\n`)
    this.#drawn = lines
  }

  #print(entry: TableEntry): void {
    if (entry.state === 'idle' || entry.state === 'starting') return
    // Requests come all the time; a log wants to know who is there.
    const { number, pid, status } = entry
    const news = [pid, status?.rooms ?? 0, status?.connections ?? 0, describe(entry)].join(' ')
    if (this.#printed.get(number) === news) return
    if (this.#printed.size === 0) this.#output.write(`${row(COLUMNS)}\n`)
    this.#printed.set(number, news)
    this.#output.write(`${formatEntry(entry)}\n`)
  }
}

/** One process as a line of text. */
export function formatEntry(entry: TableEntry): string {
  const { number, pid, status } = entry
  const isUp = entry.state === 'listening'
  const values = [status?.rooms, status?.connections, status?.requests].map((value) => value ?? (isUp ? 0 : '-'))
  return row([`/${number}/`, pid ?? '-', ...values, describe(entry)])
}

function describe({ state, restarts, lastEnd, delayMs }: TableEntry): string {
  if (state === 'waiting') return `${lastEnd}; starts again in ${(delayMs / 1000).toFixed(1)} s`
  if (state === 'failed') return `failed: ${lastEnd}`
  return restarts === 0 ? state : `${state} (restarted ${restarts} ×, ${lastEnd})`
}

function paint(entry: TableEntry, width: number): string {
  const text = formatEntry(entry).slice(0, width)
  const stateAt = WIDTHS.reduce((sum, one) => sum + one, 0)
  return text.slice(0, stateAt) + color(COLORS[entry.state], text.slice(stateAt))
}

function bold(text: string): string {
  return color('bold', text)
}

function color(format: Parameters<typeof styleText>[0], text: string): string {
  return process.env['NO_COLOR'] ? text : styleText(format, text)
}

function row(cells: readonly (string | number)[]): string {
  return cells.map((cell, index) => String(cell).padEnd(WIDTHS[index]!)).join('')
}
