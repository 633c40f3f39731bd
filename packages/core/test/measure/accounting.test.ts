import { describe, expect, test } from 'vitest'
import { parseMachineStat, parseParent, parseProcessStat, parseSchedstat } from '../../src/measure/accounting.ts'

// A real line, with a command name made as awkward as the kernel allows.
const STAT =
  '4711 (node) (x) S) S 42 4711 4711 0 -1 4194304 5120 10 0 0 130 70 3 2 20 0 11 0 9000 1000000000 12000 18446744073709551615 1'

describe('the kernel’s files', () => {
  test.each([
    ['1234567890 42 17\n', 1_234_567_890],
    ['0 0 0\n', 0],
  ])('schedstat %j means %d ns', (text, nanoseconds) => {
    expect(parseSchedstat(text)).toBe(nanoseconds)
  })

  test.each(['', 'none'])('schedstat %j is refused', (text) => {
    expect(() => parseSchedstat(text)).toThrow('Not a schedstat file')
  })

  test('stat gives ticks and parent although the command’s name holds spaces and parentheses', () => {
    expect(parseProcessStat(STAT)).toEqual({ userTicks: 130, kernelTicks: 70 })
    expect(parseParent(STAT)).toBe(42)
  })

  test('the machine’s stat gives busy and stolen seconds without the idle ones', () => {
    const text = 'cpu  100 20 300 99999 888 4 6 50 7 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n'
    expect(parseMachineStat(text)).toEqual({ busy: 4.3, stolen: 0.5 })
  })
})
