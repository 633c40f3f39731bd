import { describe, expect, test } from 'vitest'
import {
  PATH_AMBIGUOUS,
  PATH_FOLDED,
  PATH_PLAIN,
  PathReadings,
  foldSegment,
  shapeOf,
} from '../../../src/broker/daemon/path-readings.ts'

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** Every reading of a path; segments that can match nothing are empty. */
function readingsOf(path: string): string[] {
  const readings = new PathReadings(path)
  const result = new Set<string>()
  for (let tricks = readings.tricks; ; tricks = (tricks - 1) & readings.tricks) {
    result.add(readings.read(tricks))
    if (tricks === 0) return [...result].toSorted()
  }
}

describe('shapeOf', () => {
  test.each([
    ['/', PATH_PLAIN],
    ['*', PATH_PLAIN],
    ['', PATH_PLAIN],
    ['/2/', PATH_PLAIN],
    ['/2/3/index.html', PATH_PLAIN],
    ['/.well-known/a', PATH_PLAIN],
    ['/a../.../..a/.a.', PATH_PLAIN],
    ["/a;b=c/@:!$&'()*+,~_-^[]{}|", PATH_PLAIN],
    ['/A', PATH_FOLDED],
    ['/Z/', PATH_FOLDED],
    ['/x%20y', PATH_FOLDED],
    ['/100%', PATH_FOLDED],
    [latin1('/ä'), PATH_FOLDED],
    ['/%252e%252e/', PATH_FOLDED],
    ['//', PATH_AMBIGUOUS],
    ['/a//b', PATH_AMBIGUOUS],
    ['/a//', PATH_AMBIGUOUS],
    ['/.', PATH_AMBIGUOUS],
    ['/..', PATH_AMBIGUOUS],
    ['/./a', PATH_AMBIGUOUS],
    ['/a/../b', PATH_AMBIGUOUS],
    ['/a/..', PATH_AMBIGUOUS],
    ['/%2e%2E/', PATH_AMBIGUOUS],
    ['/.%2E/', PATH_AMBIGUOUS],
    ['/a\\b', PATH_AMBIGUOUS],
    ['/a%5cb', PATH_AMBIGUOUS],
    ['/a%5Cb', PATH_AMBIGUOUS],
    ['/a%2fb', PATH_AMBIGUOUS],
    ['/a%2Fb', PATH_AMBIGUOUS],
  ])('the shape of %j is %i', (path, expected) => {
    expect(shapeOf(path)).toBe(expected)
  })
})

describe('foldSegment', () => {
  test.each([
    ['a', 'a'],
    ['ABC', 'abc'],
    ['x%20y', 'x y'],
    ['%41', 'a'],
    ['r%C3%A4ume', 'räume'],
    ['R%C3%84UME', 'räume'],
    [latin1('RÄUME'), 'räume'],
    [latin1('Ä') + '%C3%A4', 'ää'],
    ['\u00c3%A4', 'ä'],
    ['%F0%9F%98%80', '😀'],
    ['sub%2Fpath', 'sub/path'],
    ['%25%32%30', '%20'],
    ['%EF%BF%BD', '\ufffd'],
    ['%', '%'],
    ['%4', '%4'],
    ['%zz%41', '%zza'],
    ['%E4', '%e4'],
    ['%C3', '%c3'],
    ['%ED%A0%80', '%ed%a0%80'],
    ['%C0%AF', '%c0%af'],
    ['%00', '\0'],
  ])('%j is compared as %j', (segment, expected) => {
    expect(foldSegment(segment)).toBe(expected)
  })
})

describe('PathReadings', () => {
  test.each([
    ['/a/b', ['/a/b']],
    ['/a/b/', ['/a/b/']],
    ['/a/./b', ['/a/./b', '/a/b']],
    ['/a/../b', ['/a/../b', '/b']],
    ['/../../a', ['/../../a', '/a']],
    ['/a/..', ['/', '/a/..']],
    ['/a/%2e%2E/b', ['/a/../b', '/b']],
    ['/a/.%2e/b', ['/a/../b', '/b']],
    ['/a/../%2e%2e/b', ['/../b', '/a/../../b', '/a/b', '/b']],
    ['/a//b', ['/a//b', '/a/b']],
    ['//a', ['//a', '/a']],
    ['/a//', ['/a', '/a//']],
    ['/a\\b', ['/', '/a/b']],
    ['/a%5Cb/c', ['//c', '/a/b/c']],
    ['/a%2fb', ['/', '/a/b']],
    ['/a%2f..%2fb', ['/', '/a/../b', '/b']],
    ['/a//../b', ['/a/../b', '/a//../b', '/a/b', '/b']],
    ['/x%2Fy\\z', ['/', '//z', '/x/', '/x/y/z']],
    ['*', ['/']],
  ])('%j can be read as %j', (path, expected) => {
    expect(readingsOf(path)).toEqual(expected.toSorted())
  })

  test('has one reading when nothing is ambiguous', () => {
    expect(new PathReadings('/a%2eb/c').tricks).toBe(0)
  })
})
