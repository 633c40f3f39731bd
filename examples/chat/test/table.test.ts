import { expect, test } from 'vitest'
import { LiveTable } from '../src/table.ts'
import type { TableEntry, TableOutput } from '../src/table.ts'

process.env['NO_COLOR'] = '1'

function entry(number: number, parts: Partial<TableEntry> = {}): TableEntry {
  const status = { prefix: `/${number}/`, pid: 70 + number, rooms: 1, connections: 2, requests: 3, uptime: 4 }
  return { number, pid: 70 + number, status, state: 'listening', lastEnd: '', restarts: 0, delayMs: 0, ...parts }
}

/** A terminal (or, without rows, a file) that keeps what is written to it. */
function output(rows: number, columns = 80): TableOutput & { text: string } {
  const written = {
    text: '',
    isTTY: rows > 0,
    rows,
    columns,
    write: (chunk: string | Uint8Array) => {
      written.text += String(chunk)
      return true
    },
  }
  return written
}

/** What a terminal shows after these bytes: knows line feeds, cursor up and erase below. */
function screen(text: string): string[] {
  const lines: string[] = ['']
  let at = 0
  // oxlint-disable-next-line no-control-regex -- escape sequences are what is looked for
  for (const [part, up] of text.matchAll(/\u001b\[(\d+)A|\u001b\[J|\n|[^\u001b\n]+/g)) {
    if (up !== undefined) at -= Number(up)
    else if (part === '\u001b[J') lines.splice(at, lines.length, '')
    else if (part === '\n') lines[++at] ??= ''
    else lines[at] = part
  }
  return lines
}

test('stays in place on a terminal, below what is logged', () => {
  const terminal = output(24)
  const table = new LiveTable(terminal)
  table.show([entry(1), entry(2)])
  table.log('hello')
  table.show([entry(1), entry(2, { pid: 99 })])
  expect(screen(terminal.text)).toEqual([
    'hello',
    'prefix  pid       rooms   connections   requests   state',
    '/1/     71        1       2             3          listening',
    '/2/     99        1       2             3          listening',
    '',
  ])
})

test('writes nothing when nothing has changed', () => {
  const terminal = output(24)
  const table = new LiveTable(terminal)
  table.show([entry(1)])
  const before = terminal.text
  table.show([entry(1)])
  expect(terminal.text).toBe(before)
})

test('cuts lines that a narrow terminal would wrap', () => {
  const terminal = output(24, 40)
  new LiveTable(terminal).show([entry(1)])
  expect(screen(terminal.text).map((line) => line.length)).toEqual([39, 39, 0])
})

test.each([
  ['not a terminal', 0],
  ['not tall enough', 3],
])('prints a line for each change where the output is %s', (_what, rows) => {
  const file = output(rows)
  const table = new LiveTable(file)
  const busier = { ...entry(1).status!, requests: 99 }
  table.show([entry(1, { state: 'starting' }), entry(2)])
  table.show([entry(1), entry(2)])
  table.show([entry(1, { status: busier }), entry(2)])
  const end = {
    state: 'waiting',
    pid: undefined,
    status: undefined,
    lastEnd: 'killed by SIGKILL',
    delayMs: 100,
  } as const
  table.show([entry(1), entry(2, end)])
  expect(file.text.split('\n')).toEqual([
    'prefix  pid       rooms   connections   requests   state',
    '/2/     72        1       2             3          listening',
    '/1/     71        1       2             3          listening',
    '/2/     -         -       -             -          killed by SIGKILL; starts again in 0.1 s',
    '',
  ])
})
