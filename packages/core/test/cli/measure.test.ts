import { expect, test } from 'vitest'
import { measure } from '../../src/cli/measure.ts'

test.each([
  [['--vms', '10'], 'the program is missing'],
  [['--vms', '10', '--', 'node', 'app.js'], '--vms and --monthly'],
  [['--vms', 'ten', '--monthly', '1', '--', 'node', 'app.js'], "--vms needs a whole number of at least 1, not 'ten'"],
  [['--vms', '10', '--monthly', '$1', '--', 'node', 'app.js'], "--monthly needs an amount such as 460.80, not '$1'"],
  [['--path', 'x', '--', 'node', 'app.js'], "--path begins with a slash, not 'x'"],
  [['--rounds', '0', '--', 'node', 'app.js'], "--rounds needs a whole number of at least 1, not '0'"],
])('refuses %j', async (args, message) => {
  await expect(measure(args)).rejects.toThrow(message)
})
