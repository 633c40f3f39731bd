import { HttpSysError } from '../base/errors.ts'
import { UrlPrefix } from '../base/url-prefix.ts'

/** What `httpsys hold` needs of Windows. */
export interface PrefixHolder {
  /** @returns the name of the queue */
  hold(prefix: UrlPrefix, sddl?: string): string
  release(): void
}

/**
 * `httpsys hold`: owns the request queues of prefixes, so that the processes which serve them can come and go.
 *
 * @param open - of this system; undefined where there is no HTTP.SYS
 * @param end - resolves when the process is told to end
 * @throws TypeError for arguments that are none, HttpSysError `ENOTSUP` without HTTP.SYS, and what claiming a prefix throws
 */
export async function hold(
  args: readonly string[],
  open: (() => Promise<PrefixHolder>) | undefined,
  end: () => Promise<unknown>,
): Promise<void> {
  const { prefixes, sddl } = readArguments(args)
  if (open === undefined) {
    throw new HttpSysError({
      code: 'ENOTSUP',
      syscall: 'hold',
      subject: prefixes.map(({ href }) => href).join(' '),
      reason: 'only HTTP.SYS has queues that somebody else can own',
      remedy: 'Nothing has to be held here: the broker keeps the requests while a process is replaced.',
    })
  }
  const holder = await open()
  try {
    for (const prefix of prefixes) {
      const name = holder.hold(prefix, sddl)
      process.stdout.write(`${prefix.href} is held, as queue ${name}; processes join it with mode 'attach'\n`)
    }
    await end()
  } finally {
    holder.release()
  }
}

function readArguments(args: readonly string[]): { prefixes: UrlPrefix[]; sddl: string | undefined } {
  const prefixes: UrlPrefix[] = []
  let sddl: string | undefined
  for (const argument of args) {
    const [, name, value = ''] = /^(\w+)=(.*)$/s.exec(argument) ?? []
    if (name === 'url') prefixes.push(UrlPrefix.parse(value))
    else if (name === 'sddl') sddl = value
    else throw new TypeError(`httpsys hold: ${argument} is neither url=PREFIX nor sddl=DESCRIPTOR`)
  }
  if (prefixes.length === 0) throw new TypeError('httpsys hold: url= is missing')
  const portless = prefixes.find(({ port }) => port === 0)
  if (portless !== undefined) throw new TypeError(`httpsys hold: ${portless.href} has no port that others could know`)
  return { prefixes, sddl }
}
