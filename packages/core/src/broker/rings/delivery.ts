import { HttpSysError } from '../../base/errors.ts'

/** How frames go between an owner and its broker: through the local socket, or through rings in shared memory. */
export type Delivery = 'sockets' | 'rings'

/**
 * What `HTTPSYS_DELIVERY` says. An owner without a choice uses the socket; a broker without one gives rings to who asks for them.
 *
 * @throws HttpSysError `EINVAL`
 */
export function deliveryChoice(environment: NodeJS.ProcessEnv): Delivery | undefined {
  const value = environment['HTTPSYS_DELIVERY']
  if (value === undefined || value === '') return undefined
  if (value === 'rings' || value === 'sockets') return value
  throw new HttpSysError({
    code: 'EINVAL',
    syscall: 'listen',
    subject: 'HTTPSYS_DELIVERY',
    reason: `it is ${JSON.stringify(value)}`,
    remedy: 'Set it to rings or sockets, or leave it out.',
  })
}

/** Rings were asked for and can't be had. */
export function noRings(reason: string): HttpSysError {
  return new HttpSysError({
    code: 'ENOTSUP',
    syscall: 'connect',
    subject: 'HTTPSYS_DELIVERY=rings',
    reason,
    remedy: 'Leave HTTPSYS_DELIVERY out: the local socket works everywhere.',
  })
}
