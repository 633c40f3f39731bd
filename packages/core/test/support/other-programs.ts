import { execFile, spawn, spawnSync } from 'node:child_process'

/** What an other program has printed, and how it ended. */
export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Whether a program is installed; a test that needs one says so when it is not. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined
}

/** Runs a program for a minute at most. */
export function run(program: string, args: readonly string[], input: string | Buffer = ''): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { timeout: 60_000, killSignal: 'SIGKILL', maxBuffer: 16 * 1024 * 1024, encoding: 'latin1' },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') return reject(error)
        resolve({ code: Number(error?.code ?? 0), stdout, stderr })
      },
    )
    child.stdin!.on('error', () => {})
    child.stdin!.end(input)
  })
}

/** Runs a program that goes on until it is told to stop; resolves with everything that it has printed once `isEnough` says so. */
export async function runUntil(
  program: string,
  args: readonly string[],
  isEnough: (text: string) => boolean,
): Promise<string> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let text = ''
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  }
  // What it is to do may come after the last that it prints.
  const look = setInterval(() => {
    if (isEnough(text)) child.kill()
  }, 20)
  await ended
  clearInterval(look)
  clearTimeout(timer)
  return text
}
