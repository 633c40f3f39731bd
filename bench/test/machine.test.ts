import { expect, test } from 'vitest'
import { commandLine, machineFacts } from '../src/machine.ts'
import { UsageError } from '../src/options.ts'

test('the recorded command leaves the directories of the machine out', () => {
  const args = ['--rounds', '2', '--node', '/home/me/bin/node', '--json=/tmp/out.json', '--variants', 'a,b']
  expect(commandLine(args)).toBe('npm run bench -- --rounds 2 --node …/node --json=…/out.json --variants a,b')
})

test('the facts name the servers’ node', () => {
  expect(machineFacts(process.execPath).node).toBe(process.version)
})

test('a node binary that can’t be run is refused by name', () => {
  expect(() => machineFacts('/nowhere/node')).toThrow(UsageError)
  expect(() => machineFacts('/nowhere/node')).toThrow('/nowhere/node')
})
