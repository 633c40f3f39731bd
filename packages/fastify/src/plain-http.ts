import { HttpSysError } from '@httpsys/core'
import type { UrlPrefix } from '@httpsys/core'

/** What an app with `https` or `http2` is told: the port, and with it how clients speak on it, is the broker's. */
export function plainHttpOnly(prefix: UrlPrefix): HttpSysError {
  return new HttpSysError({
    code: 'EINVAL',
    syscall: 'listen',
    subject: prefix.href,
    reason: 'the app has been made with https or http2, but the broker speaks with the clients',
    remedy: 'Leave both options out.',
  })
}
