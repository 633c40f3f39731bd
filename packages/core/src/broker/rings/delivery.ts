import { environmentChoice } from '../../base/environment-choice.ts'
import { HttpSysError } from '../../base/errors.ts'
import { HELLO_BLOCKS, HELLO_RINGS } from '../protocol/frames.ts'

/**
 * How frames go between an owner and its broker: through the local socket, or through rings in shared memory. Who chooses the socket has
 * no memory in common at all, not even for large pieces of bodies.
 */
export type Delivery = 'sockets' | 'rings'

/**
 * What `HTTPSYS_DELIVERY` says. An owner without a choice uses the socket; a broker without one gives rings to who asks for them.
 *
 * @throws HttpSysError `EINVAL`
 */
export function deliveryChoice(environment: NodeJS.ProcessEnv): Delivery | undefined {
  return environmentChoice(environment, 'HTTPSYS_DELIVERY', ['rings', 'sockets'])
}

/** The memory that an owner asks for, as HELLO_ flags. */
export function wantedMemory(choice: Delivery | undefined): number {
  if (choice === 'sockets') return 0
  return choice === 'rings' ? HELLO_RINGS | HELLO_BLOCKS : HELLO_BLOCKS
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
