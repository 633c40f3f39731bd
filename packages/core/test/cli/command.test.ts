import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))

async function commandOf(): Promise<string> {
  const { bin } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { bin: { httpsys: string } }
  return bin.httpsys
}

test('the command that npm links is httpsys', async () => {
  const { stdout } = await run(process.execPath, [join(root, await commandOf()), '--help'])
  expect(stdout).toMatch(/^httpsys status /)
})

test('the command says what to do in a clone that is not built', async () => {
  const command = await commandOf()
  const directory = await mkdtemp(join(tmpdir(), 'httpsys-test-'))
  try {
    await cp(join(root, 'package.json'), join(directory, 'package.json'))
    await cp(join(root, dirname(command)), join(directory, dirname(command)), { recursive: true })
    const running = run(process.execPath, [join(directory, command), 'status'])
    await expect(running).rejects.toMatchObject({
      code: 1,
      stderr: 'httpsys is not built yet: run npm run build first.\n',
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

/** The commands that the text is about, as it names them. */
function commandsIn(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) => /^httpsys (\w+(?: (?:urlacl|sslcert|cachestate|cache)\b)?)(?= |$)/.exec(line)?.[1] ?? [])
}

test.each([
  [['measure', '--help'], ['measure']],
  [['help', 'run'], ['run']],
  [
    ['add', 'urlacl', '-h'],
    ['add urlacl', 'delete urlacl', 'show urlacl'],
  ],
])('httpsys %j prints what that command can do', async (args, commands) => {
  const { stdout, stderr } = await run(process.execPath, [join(root, await commandOf()), ...args])
  expect([commandsIn(stdout), stderr]).toEqual([commands, ''])
})

test.each([
  [['status', '--jsn'], /--jsn/, ['status']],
  // What stands behind -- is for the program.
  [['run', '--', 'node', '--help'], /--prefix is missing/, ['run']],
])('httpsys %j says what is wrong, and what that command can do', async (args, message, commands) => {
  const running = run(process.execPath, [join(root, await commandOf()), ...args])
  const { code, stdout, stderr } = (await running.catch((error: unknown) => error)) as Record<string, unknown>
  expect([code, stdout, commandsIn(String(stderr))]).toEqual([2, '', commands])
  expect(stderr).toMatch(message)
})
