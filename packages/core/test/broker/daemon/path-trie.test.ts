import { describe, expect, test } from 'vitest'
import { PATH_FOLDED, PATH_PLAIN } from '../../../src/broker/daemon/path-readings.ts'
import { PathTrie } from '../../../src/broker/daemon/path-trie.ts'

function trieOf(...paths: string[]): PathTrie<{ path: string }> {
  const trie = new PathTrie<{ path: string }>()
  for (const path of paths) trie.add(path, { path })
  return trie
}

describe('PathTrie', () => {
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
    const trie = trieOf('/', '/11/', '/2/', '/2/3/', '/4/5/6/')
    expect(trie.find(path, PATH_PLAIN)?.path).toBe(expected)
    expect(trie.find(path.toUpperCase(), PATH_FOLDED)?.path).toBe(expected)
    expect(trie.findSegments(path.split('/').slice(1))?.path).toBe(expected)
  })

  test('finds nothing where nothing is stored', () => {
    expect(trieOf().find('/', PATH_PLAIN)).toBeUndefined()
    expect(trieOf('/a/b/').find('/a', PATH_PLAIN)).toBeUndefined()
  })

  test('keeps the first value of a path, in any case', () => {
    const trie = trieOf('/a/')
    expect(trie.add('/A/', { path: 'second' })?.path).toBe('/a/')
    expect(trie.find('/a/', PATH_PLAIN)?.path).toBe('/a/')
  })

  test('finds the shorter path again when the longer one is removed', () => {
    const trie = trieOf('/a/', '/a/b/')
    expect(trie.remove('/A/B/')).toBe(true)
    expect(trie.find('/a/b/', PATH_PLAIN)?.path).toBe('/a/')
  })

  test('keeps the longer path when the shorter one is removed', () => {
    const trie = trieOf('/', '/a/', '/a/b/')
    expect(trie.remove('/a/')).toBe(true)
    expect(trie.find('/a/b/', PATH_PLAIN)?.path).toBe('/a/b/')
    expect(trie.find('/a/c/', PATH_PLAIN)?.path).toBe('/')
  })

  test.each([['/b/'], ['/a/b/'], ['/a/b/c/d/'], ['/']])('does not find %s to remove', (path) => {
    const trie = trieOf('/a/b/c/')
    expect(trie.remove(path)).toBe(false)
    expect(trie.find('/a/b/c', PATH_PLAIN)?.path).toBe('/a/b/c/')
  })

  test('is empty again when all paths are removed, in any order', () => {
    const paths = ['/', '/a/', '/a/b/', '/a/b/c/', '/a/x/y/z/', '/q/']
    for (const order of [paths, paths.toReversed(), ['/a/b/', '/q/', '/', '/a/x/y/z/', '/a/b/c/', '/a/']]) {
      const trie = trieOf(...paths)
      for (const path of order) {
        expect(trie.isEmpty).toBe(false)
        expect(trie.remove(path)).toBe(true)
      }
      expect(trie.isEmpty).toBe(true)
    }
  })

  test('leaves nothing behind of a path that ended beside another', () => {
    const trie = trieOf('/a/x/')
    trie.add('/a/b/c/', { path: 'c' })
    trie.remove('/a/b/c/')
    trie.remove('/a/x/')
    expect(trie.isEmpty).toBe(true)
  })

  test('stores and removes a path of very many segments', () => {
    const path = `/${'a/'.repeat(100_000)}`
    const trie = trieOf(path)
    expect(trie.find(path, PATH_PLAIN)?.path).toBe(path)
    expect(trie.remove(path)).toBe(true)
    expect(trie.isEmpty).toBe(true)
  })
})
