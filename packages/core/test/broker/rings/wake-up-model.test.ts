import { expect, test } from 'vitest'
import { explore } from './wake-up-model.ts'
import type { Flaw } from './wake-up-model.ts'

test.each([
  [1, 1],
  [3, 1],
  [4, 2],
  [6, 3],
])('in no order of steps is a wake-up lost: %s pieces through a ring for %s', (messages, room) => {
  const { states, lost } = explore('none', messages, room)
  expect(lost).toBeNull()
  expect(states).toBeGreaterThan(20)
})

test.each<Flaw>([
  'reader sleeps without a second look',
  'reader looks before it says so',
  'writer asks before it publishes',
  'writer waits without a second look',
  'reader asks before it makes room',
])('the model finds the order in which a wake-up is lost when a %s', (flaw) => {
  const { lost } = explore(flaw, 4, 2)
  expect(lost).not.toBeNull()
})
