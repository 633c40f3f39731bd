import { describe, expect, test, vi } from 'vitest'
import { Rooms } from '../src/room.ts'
import type { Member } from '../src/room.ts'
import { TokenBucket } from '../src/token-bucket.ts'

function member(name: string): Member {
  return { id: name, name, send: vi.fn() }
}

describe('the rooms of a process', () => {
  test('end at 1000: the one without people that was used longest ago makes way', () => {
    const rooms = new Rooms()
    rooms.open('first')!.join(member('Ada'))
    for (let count = 2; count <= 1000; count++) rooms.open(`room${count}`)
    rooms.open('room2')
    expect(rooms.open('new')).toBeDefined()
    expect([rooms.count, rooms.find('first'), rooms.find('room2'), rooms.find('room3')]).toEqual([
      1000,
      expect.anything(),
      expect.anything(),
      undefined,
    ])
  })

  test('when there are people in all 1000, there is no other', () => {
    const rooms = new Rooms()
    for (let count = 1; count <= 1000; count++) rooms.open(`room${count}`)!.join(member('Ada'))
    expect(rooms.open('another')).toBeUndefined()
    expect(rooms.open('room7')).toBe(rooms.find('room7'))
  })

  test('an empty one is forgotten, one with a history is kept', () => {
    const rooms = new Rooms()
    const [silent, talked, full] = ['silent', 'talked', 'full'].map((name) => rooms.open(name)!)
    talked!.post(null, 'Ada', 'hello')
    full!.join(member('Ada'))
    for (const room of [silent, talked, full]) rooms.release(room!)
    expect(rooms.list().map(({ name }) => name)).toEqual(['full', 'talked'])
  })
})

describe('a room', () => {
  test('says nothing when a name stays the same, or somebody leaves twice', () => {
    const room = new Rooms().open('lobby')!
    const [ada, grace] = [member('Ada'), member('Grace')]
    room.join(ada)
    room.join(grace)
    room.rename(grace, 'Grace')
    room.leave(grace)
    room.leave(grace)
    expect(vi.mocked(ada.send).mock.calls.map(([event]) => event.type)).toEqual(['joined', 'left'])
  })

  test('counts its messages, also those that it has forgotten', () => {
    const room = new Rooms().open('lobby')!
    for (let count = 1; count <= 201; count++) room.post(null, 'Ada', 'x')
    expect([room.history.length, room.history[0]!.id, room.history.at(-1)!.id]).toEqual([200, 2, 201])
  })
})

test('a token bucket lets a burst through, and then so many a second', () => {
  vi.useFakeTimers()
  const bucket = new TokenBucket(3, 2)
  const taken = () => [1, 2, 3, 4].map(() => bucket.take())
  expect(taken()).toEqual([true, true, true, false])
  vi.advanceTimersByTime(1000)
  expect(taken()).toEqual([true, true, false, false])
  vi.advanceTimersByTime(60_000)
  expect(taken()).toEqual([true, true, true, false])
  vi.useRealTimers()
})
