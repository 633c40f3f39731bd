import { HttpSysError } from '../../base/errors.ts'

/** Says what to do when a port can't be had. */
export function describeListenFailure(error: unknown, port: number): HttpSysError {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM') {
    return new HttpSysError({
      code: 'EACCES',
      syscall: 'listen',
      subject: `port ${port}`,
      reason: 'this user may not listen there',
      remedy: 'Use a port from 1024 on, or allow it with `sysctl net.ipv4.ip_unprivileged_port_start`.',
      cause: error,
    })
  }
  if (code === 'EADDRINUSE') {
    return new HttpSysError({
      code: 'EADDRINUSE',
      syscall: 'listen',
      subject: `port ${port}`,
      reason: 'another program listens on this TCP port',
      remedy: 'Stop that program, or choose another port in the prefix or in HTTPSYS_BASE.',
      cause: error,
    })
  }
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'listen',
    subject: `port ${port}`,
    reason: `the operating system refuses to listen (${code ?? String(error)})`,
    remedy: 'Check the address in the prefix: it must belong to this machine.',
    cause: error,
  })
}
