import { link, readdir, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket, IpcNetConnectOpts } from 'node:net'
import { join } from 'node:path'
import { HttpSysError } from '../../base/errors.ts'

/**
 * How owners find the one broker of a runtime directory, without a lock that a crash could leave behind.
 *
 * Brokers publish their local socket under numbered names, `broker-1.sock`, `broker-2.sock`, …; the highest number counts.
 * A number is taken by `link(2)`, which fails if it exists, and only after the number before was found dead, so two brokers
 * never both win. The highest name is never removed: a process that saw it dead long ago can't take a number that was in use
 * meanwhile, because it looks again after it linked.
 */
const NAME = /^broker-(\d{1,6})\.sock$/

/** The path of the socket that counts, or undefined when no broker ever ran here. */
export async function currentSocketPath(directory: string): Promise<string | undefined> {
  const number = await highest(directory)
  return number === 0 ? undefined : pathOf(directory, number)
}

/**
 * Connects to the current broker; resolves to undefined when there is none, it is dead, or too busy to say.
 *
 * @param isPaused - the socket is not read before it is resumed
 * @throws HttpSysError `EACCES`, `EMFILE`
 */
export async function connectToBroker(
  directory: string,
  options: Omit<IpcNetConnectOpts, 'path'>,
  isPaused = false,
): Promise<Socket | undefined> {
  const path = await currentSocketPath(directory)
  if (path === undefined) return undefined
  return new Promise((resolve, reject) => {
    const socket = connect({ ...options, path })
    // Before it is connected: node:net begins to read at once.
    if (isPaused) socket.pause()
    socket.once('connect', () => {
      socket.off('error', onError)
      resolve(socket)
    })
    const onError = (error: NodeJS.ErrnoException): void => {
      const failure = describeFailure(error, path)
      if (failure === undefined) resolve(undefined)
      else reject(failure)
    }
    socket.once('error', onError)
  })
}

function describeFailure({ code }: NodeJS.ErrnoException, path: string): HttpSysError | undefined {
  const parts = { syscall: 'connect', subject: path }
  if (code === 'EACCES' || code === 'EPERM') {
    const reason = 'this user may not connect to the broker'
    const remedy = 'Let root run httpsys serve --shared, or set HTTPSYS_RUNTIME_DIR to a directory of your own.'
    return new HttpSysError({ code: 'EACCES', ...parts, reason, remedy })
  }
  if (code === 'EMFILE' || code === 'ENFILE') {
    const reason = 'no file descriptor is left'
    return new HttpSysError({ code: 'EMFILE', ...parts, reason, remedy: 'Raise the limit: ulimit -n.' })
  }
  return undefined
}

/**
 * Makes the broker that listens at `privatePath` the current one. (A successor has the socket of the one before.)
 *
 * @returns the published path, or undefined when another broker is alive.
 */
export async function publish(directory: string, privatePath: string): Promise<string | undefined> {
  for (;;) {
    const number = await highest(directory)
    if (number > 0 && (await isAlive(pathOf(directory, number)))) return undefined
    const path = pathOf(directory, number + 1)
    try {
      await link(privatePath, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw error
    }
    if ((await highest(directory)) !== number + 1) {
      // This process slept between looking and linking: others have been here.
      await unlink(path).catch(ignoreMissing)
      continue
    }
    await removeOlder(directory, number + 1)
    return path
  }
}

function pathOf(directory: string, number: number): string {
  return join(directory, `broker-${number}.sock`)
}

async function highest(directory: string): Promise<number> {
  let result = 0
  for (const name of await readdir(directory)) result = Math.max(result, Number(NAME.exec(name)?.[1] ?? 0))
  return result
}

async function removeOlder(directory: string, number: number): Promise<void> {
  for (const name of await readdir(directory)) {
    const match = NAME.exec(name)
    if (match !== null && Number(match[1]) < number) await unlink(join(directory, name)).catch(ignoreMissing)
  }
}

/** Others clear up, too. */
function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    // A full backlog (EAGAIN) means alive and busy; only a refusal or a missing file means dead.
    probe.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    )
  })
}
