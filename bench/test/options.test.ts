import { describe, expect, test } from 'vitest'
import { parseOptions, USAGE, UsageError } from '../src/options.ts'

const NAMES = ['mix', 'express', 'idle']

describe('options', () => {
  test('have defaults, with the first scenario alone', () => {
    expect(parseOptions([], NAMES)).toEqual({
      scenarios: ['mix'],
      variants: undefined,
      rounds: 5,
      seconds: 4,
      warmup: 15,
      connections: 64,
      node: process.execPath,
      load: undefined,
      json: undefined,
      isMore: false,
      isSmoke: false,
      isList: false,
      isHelp: false,
    })
  })

  test('are taken from the command line', () => {
    const args = ['--scenario', 'idle,express', '--variants', 'nginx, httpsys,nginx', '--rounds=5', '--seconds', '1']
    const more = ['--warmup', '0', '--connections', '8', '--node', 'n', '--load', 'wrk', '--json', 'out', '--more']
    expect(parseOptions([...args, ...more], NAMES)).toMatchObject({
      scenarios: ['idle', 'express'],
      variants: ['nginx', 'httpsys'],
      rounds: 5,
      seconds: 1,
      warmup: 0,
      connections: 8,
      node: 'n',
      load: 'wrk',
      json: 'out',
      isMore: true,
    })
  })

  test('name every scenario by "all"', () => {
    expect(parseOptions(['--scenario', 'all'], NAMES).scenarios).toEqual(NAMES)
  })

  test('for a smoke test are as small as can be, unless they say otherwise', () => {
    expect(parseOptions(['--smoke'], NAMES)).toMatchObject({ rounds: 1, seconds: 1, warmup: 0, connections: 8 })
    expect(parseOptions(['--smoke', '--rounds', '2'], NAMES)).toMatchObject({ rounds: 2, seconds: 1 })
  })

  test.each([
    [['--scenario', 'mixed'], "Unknown scenario 'mixed'. There are mix, express, idle, and all."],
    [['--variants', ','], '--variants needs at least one name; --list shows them.'],
    [['--rounds', '0'], "--rounds needs a whole number of at least 1, not '0'."],
    [['--rounds', '2.5'], "--rounds needs a whole number of at least 1, not '2.5'."],
    [['--seconds', '1e3'], "--seconds needs a whole number of at least 1, not '1e3'."],
    [['--seconds', ''], "--seconds needs a whole number of at least 1, not ''."],
    [['--connections', 'many'], "--connections needs a whole number of at least 1, not 'many'."],
    [['--connections', '9999999'], "--connections needs a whole number of at least 1, not '9999999'."],
    [['--node', ''], '--node needs a value.'],
    [['--json', ''], '--json needs a value.'],
    [['--more'], '--more needs --json FILE'],
    [
      ['--scenario', 'mix,idle', '--json', 'out.json'],
      '--json out.json is one file for 2 scenarios: name a directory.',
    ],
    [['--round', '2'], "Unknown option '--round'"],
    [['--json'], '--json'],
    [['now'], 'now'],
  ])('%j are refused with a reason', (args, message) => {
    const parse = (): unknown => parseOptions(args, NAMES)
    expect(parse).toThrow(UsageError)
    expect(parse).toThrow(message)
  })

  test('are all explained by the usage text', () => {
    for (const option of Object.keys(parseOptions([], NAMES))) {
      const name = option.replace(/^is/, '').replace(/^scenarios$/, 'scenario')
      expect(USAGE).toContain(`--${name.charAt(0).toLowerCase()}${name.slice(1)}`)
    }
  })
})
