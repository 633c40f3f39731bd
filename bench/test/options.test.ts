import { describe, expect, test } from 'vitest'
import { parseOptions, usage, UsageError } from '../src/options.ts'

const NAMES = ['node-http', 'httpsys', 'nginx']

describe('options', () => {
  test('have defaults', () => {
    expect(parseOptions([], NAMES)).toEqual({
      variants: undefined,
      rounds: 3,
      seconds: 4,
      warmup: 10,
      connections: 64,
      node: process.execPath,
      json: undefined,
      help: false,
    })
  })

  test('are taken from the command line', () => {
    const args = ['--variants', 'nginx, httpsys,nginx', '--rounds=5', '--seconds', '1', '--warmup', '0']
    expect(parseOptions([...args, '--connections', '8', '--node', 'n', '--json', 'out.json', '--help'], NAMES)).toEqual(
      {
        variants: ['nginx', 'httpsys'],
        rounds: 5,
        seconds: 1,
        warmup: 0,
        connections: 8,
        node: 'n',
        json: 'out.json',
        help: true,
      },
    )
  })

  test.each([
    [['--variants', 'apache'], "Unknown variant 'apache'. There are node-http, httpsys, nginx."],
    [['--variants', ','], '--variants needs at least one of node-http, httpsys, nginx.'],
    [['--rounds', '0'], "--rounds needs a whole number of at least 1, not '0'."],
    [['--rounds', '2.5'], "--rounds needs a whole number of at least 1, not '2.5'."],
    [['--seconds', '1e3'], "--seconds needs a whole number of at least 1, not '1e3'."],
    [['--seconds', ''], "--seconds needs a whole number of at least 1, not ''."],
    [['--connections', 'many'], "--connections needs a whole number of at least 1, not 'many'."],
    [['--connections', '9999999'], "--connections needs a whole number of at least 1, not '9999999'."],
    [['--node', ''], '--node needs a path.'],
    [['--json', ''], '--json needs a path.'],
    [['--round', '2'], "Unknown option '--round'"],
    [['--json'], '--json'],
    [['now'], 'now'],
  ])('%j are refused with a reason', (args, message) => {
    const parse = (): unknown => parseOptions(args, NAMES)
    expect(parse).toThrow(UsageError)
    expect(parse).toThrow(message)
  })

  test('are all explained by the usage text, with the variants', () => {
    const text = usage(NAMES)
    for (const option of Object.keys(parseOptions([], NAMES))) expect(text).toContain(`--${option}`)
    expect(text).toContain('node-http, httpsys, nginx')
  })
})
