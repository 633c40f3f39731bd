import { expect, test } from 'vitest'
import { allowedCpus, pinned } from '../../src/measure/pinning.ts'

test.each([
  ['0-1', [0, 1]],
  ['3', [3]],
  ['0,2-4,7', [0, 2, 3, 4, 7]],
])('the CPU list %s means %j', (list, cpus) => {
  expect(allowedCpus(`Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\nMems_allowed:\t1\n`)).toEqual(cpus)
})

test('a status without a CPU list names no CPU', () => {
  expect(allowedCpus('Name:\tnode\n')).toEqual([])
})

test('a command is pinned by taskset, and left alone without a CPU', () => {
  expect(pinned(1, ['node', 'a.js'])).toEqual(['taskset', '-c', '1', 'node', 'a.js'])
  expect(pinned(0, ['node'])).toEqual(['taskset', '-c', '0', 'node'])
  expect(pinned(undefined, ['node', 'a.js'])).toEqual(['node', 'a.js'])
})
