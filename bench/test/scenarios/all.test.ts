import { expect, test } from 'vitest'
import { SCENARIOS } from '../../src/scenarios/all.ts'

test('scenarios have names of their own', () => {
  expect(new Set(SCENARIOS.map(({ name }) => name)).size).toBe(SCENARIOS.length)
})

test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
  '%s compares with variants that it has, whose names are their own',
  (_, { variants, references, metrics }) => {
    const names = variants.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const reference of references) expect(names).toContain(reference)
    expect(metrics[0].better).not.toBe('neither')
  },
)
