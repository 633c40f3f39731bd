import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const module = new URL('../../dist/cli/run.js', import.meta.url).href
/** Says when it runs, and ends with the end of its input. */
const PROGRAM = `process.stdin.on('end', () => process.exit(5)).resume(); process.stdout.write('ready')`

function start(isWindows: boolean, program: string[]) {
  const args = ['--prefix', '/x/', '--', ...program]
  const code = `import { run } from ${JSON.stringify(module)}; run(${JSON.stringify(args)}, ${isWindows});
    process.on('SIGINT', () => process.stdout.write('heard'))`
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'pipe', 'pipe'] })
}

test.each([
  ['leaves Ctrl-C to the console on Windows, where to send it on would end the program at once', true, 5],
  ['sends SIGINT on elsewhere', false, 130],
])('httpsys run %s', async (_, isWindows, code) => {
  const runner = start(isWindows, [process.execPath, '-e', PROGRAM])
  const ended = once(runner, 'exit')
  await once(runner.stdout, 'data')
  runner.kill('SIGINT')
  await once(runner.stdout, 'data')
  if (isWindows) runner.stdin.end()
  expect(await ended).toEqual([code, null])
})

test.each([true, false])('httpsys run says how scripts are started, on Windows (%s)', async (isWindows) => {
  const runner = start(isWindows, [fileURLToPath(new URL('no-such-program', import.meta.url))])
  const ended = once(runner, 'exit')
  const [said] = (await once(runner.stderr, 'data')) as [Buffer]
  expect(said.toString().includes('cmd /c npm start')).toBe(isWindows)
  expect(await ended).toEqual([127, null])
})
