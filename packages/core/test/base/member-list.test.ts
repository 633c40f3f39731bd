import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { MemberList } from '../../src/base/member-list.ts'
import type { Member } from '../../src/base/member-list.ts'

interface Named extends Member {
  readonly name: string
}

function listOf(names: string): { list: MemberList<Named>; members: Named[] } {
  const list = new MemberList<Named>()
  const members = names.split('').map((name): Named => ({ name, place: -1 }))
  for (const member of members) list.add(member)
  return { list, members }
}

const namesIn = (list: MemberList<Named>): string =>
  [...list]
    .map(({ name }) => name)
    .toSorted()
    .join('')

test('members come and go in any order', () => {
  const { list, members } = listOf('abcde')
  for (const [index, left] of [
    [1, 'acde'],
    [4, 'acd'],
    [0, 'cd'],
    [3, 'c'],
    [2, ''],
  ] as const) {
    expect(list.delete(members[index]!)).toBe(true)
    expect(list.delete(members[index]!)).toBe(false)
    expect([namesIn(list), list.size]).toEqual([left, left.length])
  }
  list.add(members[1]!)
  expect(namesIn(list)).toBe('b')
})

test('who goes while the list is gone through is not met any more, and everybody else is, once', () => {
  const { list, members } = listOf('abcde')
  const met: string[] = []
  for (const member of list) {
    met.push(member.name)
    list.delete(member)
    if (member.name === 'b') list.delete(members[3]!)
    if (member.name === 'c') list.add({ name: 'f', place: -1 })
  }
  expect(met).toEqual(['a', 'b', 'c', 'e'])
  expect(namesIn(list)).toBe('f')
})

test('those who have gone are garbage to a scavenge, also when the list is old', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void
  const list = new MemberList<Member>()
  const present: Member[] = []
  const replace = (count: number): void => {
    for (let turn = 0; turn < count; turn++) {
      const member = { place: -1, load: Array.from({ length: 128 }, () => turn) }
      list.add(member)
      const gone = present[turn % 64]
      present[turn % 64] = member
      if (gone !== undefined) list.delete(gone)
    }
  }
  replace(100)
  collect()
  collect()
  const before = process.memoryUsage().heapUsed
  replace(20_000)
  collect({ type: 'minor' })
  const keptMegabytes = (process.memoryUsage().heapUsed - before) / 2 ** 20
  // More than twenty have been there in the meantime.
  expect(keptMegabytes).toBeLessThan(4)
})
