import { describe, expect, test } from 'vitest'
import { median, ratioSpread, rotate, spreadOf } from '../../src/measure/statistics.ts'

describe('median', () => {
  test.each([
    [[7], 7],
    [[3, 1, 2], 2],
    [[10, 9, 100], 10],
    [[4, 1, 3, 2], 2.5],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected)
  })

  test('leaves its input in order', () => {
    const values = [3, 1, 2]
    median(values)
    expect(values).toEqual([3, 1, 2])
  })

  test('of no values is refused', () => {
    expect(() => median([])).toThrow(RangeError)
  })
})

test('a spread names the smallest and the largest value', () => {
  expect(spreadOf([20, 10, 60])).toEqual({ median: 20, min: 10, max: 60 })
})

describe('ratioSpread', () => {
  test('divides within each round, so that a round which is slow for both sides changes nothing', () => {
    expect(ratioSpread([80, 800, 80], [20, 200, 20])).toEqual({ median: 4, min: 4, max: 4 })
  })

  test('is not the ratio of the medians', () => {
    expect(ratioSpread([10, 20, 90], [10, 10, 30]).median).toBe(2)
    expect(ratioSpread([30, 20, 10], [10, 20, 30]).median).toBe(1)
  })

  test('refuses rounds without a counterpart', () => {
    expect(() => ratioSpread([1, 2], [1])).toThrow(RangeError)
  })
})

describe('rotate', () => {
  test.each([
    [0, ['a', 'b', 'c']],
    [1, ['b', 'c', 'a']],
    [2, ['c', 'a', 'b']],
    [4, ['b', 'c', 'a']],
  ])('by %d gives %j', (offset, expected) => {
    expect(rotate(['a', 'b', 'c'], offset)).toEqual(expected)
  })

  test('of nothing is nothing', () => {
    expect(rotate([], 3)).toEqual([])
  })
})
