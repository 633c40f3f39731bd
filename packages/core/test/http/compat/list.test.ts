import { readFileSync, readdirSync } from 'node:fs'
import { IncomingMessage, OutgoingMessage, Server, ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { USED } from './used-members.ts'

const root = new URL('../../../../../', import.meta.url)
const list = readFileSync(new URL('docs/compatibility.md', root), 'utf8')

/** The cells of all table rows but the heads. */
const rows = list
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:-|Member|What)/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )

const titles = readdirSync(new URL('.', import.meta.url))
  .filter((name) => name.endsWith('.test.ts') && name !== 'list.test.ts')
  .flatMap((name) => titlesIn(readFileSync(new URL(name, import.meta.url), 'utf8')))

function titlesIn(source: string): string[] {
  const plain = source.matchAll(/^ *test\(\s*(['"])(.+?)\1,/gm)
  const tables = source.matchAll(/^ *(?:\]|test\.each\((?:.*\]|\w+))\)\(\s*(['"])(.+?)\1,/gm)
  return [...plain, ...tables].map((match) => match[2]!)
}

/** Whether a test of another folder, `file: title`, is there. */
function isElsewhere(name: string): boolean {
  const [, file, title] = /^(packages\/\S+\.test\.ts): (.+)$/.exec(name) ?? []
  return file !== undefined && titlesIn(readFileSync(new URL(file, root), 'utf8')).includes(title!)
}

test('every compat test is named in the list', () => {
  const named = new Set(rows.map((cells) => cells.at(-1)!))
  expect(titles.length).toBeGreaterThan(60)
  expect(titles.filter((title) => !named.has(title))).toEqual([])
})

test('every test that the list names exists', () => {
  const known = new Set(titles)
  const missing = rows
    .map((cells) => cells.at(-1)!)
    .filter((name) => name !== '' && !known.has(name) && !isElsewhere(name))
  expect(missing).toEqual([])
})

test.each([
  ['Server', Server.prototype],
  ['IncomingMessage', IncomingMessage.prototype],
  ['ServerResponse', ServerResponse.prototype],
  ['OutgoingMessage', OutgoingMessage.prototype],
])('every public member of %s is in the list', (_name, prototype) => {
  const members = Object.getOwnPropertyNames(prototype).filter((name) => !/^_|^constructor$/.test(name))
  const listed = new Set([...list.matchAll(/`([\w.]+)`/g)].map((match) => match[1]))
  expect(members.filter((name) => !listed.has(name))).toEqual([])
})

test.each(Object.entries(USED))('every member of a %s that people use is in the list', (_object, table) => {
  const names = Object.values(table).flatMap((text) => text.split(' '))
  const listed = new Set([...list.matchAll(/`([\w.]+)`/g)].map((match) => match[1]))
  expect(names.filter((name) => !listed.has(name))).toEqual([])
})
