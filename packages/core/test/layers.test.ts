import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../../..')

/** Imports that ARCHITECTURE.md's table of layers does not allow: from a file of the one folder, to the other. */
const FORBIDDEN = [
  ['native', '../broker/client/connect.ts'],
  ['native', '../http/server-binding.ts'],
  ['native', '../sockets/libc.ts'],
  ['broker/client', '../../native/native-backend.ts'],
  ['broker/client', 'koffi'],
  ['broker/client', '../daemon/router.ts'],
  ['broker/daemon', '../../native/native-backend.ts'],
  ['broker/daemon/http1', '../../../native/native-backend.ts'],
  ['broker/engine', '../../native/native-backend.ts'],
  ['broker/protocol', '../../native/native-backend.ts'],
  ['queue', '../native/native-backend.ts'],
  ['queue', '../broker/client/connect.ts'],
  ['http', '../native/native-backend.ts'],
  ['http', '../broker/client/connect.ts'],
  ['http', 'koffi'],
  ['base', '../queue/exchange.ts'],
] as const

const ALLOWED = [
  ['native', '../queue/exchange.ts'],
  ['native', 'koffi'],
  ['broker/client', '../../queue/exchange.ts'],
  ['http', '../queue/exchange.ts'],
] as const

const directory = mkdtempSync(join(tmpdir(), 'httpsys-layers-'))
let reported: string[] = []

function fileOf(kind: string, index: number, folder: string): string {
  return `packages/core/src/${folder}/${kind}-${index}.ts`
}

/** A tree with the project's own rules, and one import for each file. */
beforeAll(() => {
  cpSync(join(ROOT, '.oxlintrc.json'), join(directory, '.oxlintrc.json'))
  for (const [kind, imports] of [
    ['forbidden', FORBIDDEN],
    ['allowed', ALLOWED],
  ] as const) {
    for (const [index, [folder, target]] of imports.entries()) {
      const path = join(directory, fileOf(kind, index, folder))
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, `export * from '${target}'\n`)
    }
  }
  const oxlint = join(ROOT, 'node_modules/oxlint/bin/oxlint')
  let output: string
  try {
    output = execFileSync(process.execPath, [oxlint, '--format', 'json'], { cwd: directory, encoding: 'utf8' })
  } catch (error) {
    output = (error as { stdout: string }).stdout
  }
  const { diagnostics } = JSON.parse(output) as { diagnostics: { code: string; filename: string }[] }
  reported = diagnostics.filter(({ code }) => code.includes('no-restricted-imports')).map(({ filename }) => filename)
})

afterAll(() => rmSync(directory, { recursive: true, force: true }))

test.each(FORBIDDEN.map(([folder, target], index) => [folder, target, index] as const))(
  'the linter does not let %s/ import %s',
  (folder, _, index) => expect(reported).toContain(fileOf('forbidden', index, folder)),
)

test.each(ALLOWED.map(([folder, target], index) => [folder, target, index] as const))(
  '%s/ may import %s',
  (folder, _, index) => expect(reported).not.toContain(fileOf('allowed', index, folder)),
)
