import type { UrlPrefix } from '../../base/url-prefix.ts'

/** The addresses that a claim needs its port to be bound to; {@link EVERY_ADDRESS} alone stands for all. */
export type BindScope = readonly string[]

export const EVERY_ADDRESS = '::'
/** Takes the place of {@link EVERY_ADDRESS} on machines without IPv6. */
export const EVERY_IPV4_ADDRESS = '0.0.0.0'
export const LOOPBACK: BindScope = ['127.0.0.1', '::1']

/** `localhost` needs the loopback interface, an address literal that address, everything else all addresses. */
export function bindScopeOf(prefix: UrlPrefix): BindScope {
  if (prefix.host === 'localhost') return LOOPBACK
  if (prefix.category === 'ip-bound') return [prefix.host.replace(/^\[|\]$/g, '')]
  return [EVERY_ADDRESS]
}

/** Whether a failure to bind says that the machine has no IPv6 at all. */
export function isIpv6Missing(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT'
}
