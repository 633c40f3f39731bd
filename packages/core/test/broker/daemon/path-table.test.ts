import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PathTable } from '../../../src/broker/daemon/path-table.ts'

function tableOf(...paths: string[]): PathTable<{ path: string }> {
  const table = new PathTable<{ path: string }>()
  for (const path of paths) table.add(path, { path })
  return table
}

describe('PathTable', () => {
  test.each([
    ['/', '/'],
    ['', '/'],
    ['/1', '/'],
    ['/11', '/11/'],
    ['/11/', '/11/'],
    ['/111', '/'],
    ['/2/3', '/2/3/'],
    ['/2/3/4', '/2/3/'],
    ['/2/33', '/2/'],
    ['/4', '/'],
    ['/4/5/6', '/4/5/6/'],
    ['/4/5/7', '/'],
  ])('%j begins with %s', (path, expected) => {
    const table = tableOf('/', '/11/', '/2/', '/2/3/', '/4/5/6/')
    expect(table.find(path)?.path).toBe(expected)
  })

  test('finds nothing where nothing is stored', () => {
    expect(tableOf().find('/')).toBeUndefined()
    expect(tableOf('/a/b/').find('/a')).toBeUndefined()
  })

  test('keeps the first value of a path, in any case', () => {
    const table = tableOf('/a/')
    expect(table.add('/A/', { path: 'second' })?.path).toBe('/a/')
    expect(table.find('/a/')?.path).toBe('/a/')
  })

  test('finds the shorter path again when the longer one is removed', () => {
    const table = tableOf('/a/', '/a/b/')
    expect(table.remove('/A/B/')).toBe(true)
    expect(table.find('/a/b/')?.path).toBe('/a/')
  })

  test('keeps the longer path when the shorter one is removed', () => {
    const table = tableOf('/', '/a/', '/a/b/')
    expect(table.remove('/a/')).toBe(true)
    expect(table.find('/a/b/')?.path).toBe('/a/b/')
    expect(table.find('/a/c/')?.path).toBe('/')
  })

  test.each([['/b/'], ['/a/b/'], ['/a/b/c/d/'], ['/']])('does not find %s to remove', (path) => {
    const table = tableOf('/a/b/c/')
    expect(table.remove(path)).toBe(false)
    expect(table.find('/a/b/c')?.path).toBe('/a/b/c/')
  })

  test('is empty again when all paths are removed, in any order', () => {
    const paths = ['/', '/a/', '/a/b/', '/a/b/c/', '/a/x/y/z/', '/q/']
    for (const order of [paths, paths.toReversed(), ['/a/b/', '/q/', '/', '/a/x/y/z/', '/a/b/c/', '/a/']]) {
      const table = tableOf(...paths)
      for (const path of order) {
        expect(table.isEmpty).toBe(false)
        expect(table.remove(path)).toBe(true)
      }
      expect(table.isEmpty).toBe(true)
    }
  })

  test('leaves nothing behind of a path that ended beside another', () => {
    const table = tableOf('/a/x/')
    table.add('/a/b/c/', { path: 'c' })
    table.remove('/a/b/c/')
    table.remove('/a/x/')
    expect(table.isEmpty).toBe(true)
  })

  test('stores and removes a path of very many segments', () => {
    const path = `/${'a/'.repeat(100_000)}`
    const table = tableOf(path)
    expect(table.find(path)?.path).toBe(path)
    expect(table.remove(path)).toBe(true)
    expect(table.isEmpty).toBe(true)
  })

  test('finds what a plain list finds, whatever comes and goes', () => {
    const path = fc.array(fc.constantFrom('a', 'b', 'ab', 'ü', '\u20ac', 'c'), { maxLength: 4 })
    const step = fc.record({
      path: path.map((segments) => `/${segments.map((one) => `${one}/`).join('')}`),
      isAdded: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), path, (steps, wanted) => {
        const table = tableOf()
        const list = new Set<string>()
        for (const { path, isAdded } of steps) {
          const wasThere = list.has(path)
          if (isAdded) expect(table.add(path, { path })?.path).toBe(wasThere ? path : undefined)
          else expect(table.remove(path)).toBe(wasThere)
          if (isAdded) list.add(path)
          else list.delete(path)
        }
        const raw = `/${wanted.join('/')}`
        const longest = [...list]
          .filter((path) => `${raw}/`.startsWith(path))
          .toSorted((a, b) => b.length - a.length)[0]
        expect(table.find(raw)?.path).toBe(longest)
        expect(table.isEmpty).toBe(list.size === 0)
      }),
    )
  })

  test('finds the path that stays while many come and go', () => {
    const table = tableOf('/stays/')
    for (let count = 0; count < 20_000; count++) {
      table.add(`/x${count}/`, { path: '' })
      expect(table.remove(`/x${count}/`)).toBe(true)
    }
    expect(table.find('/stays')?.path).toBe('/stays/')
  })
})
