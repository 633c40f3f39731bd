/** What an administrator has to type so that an account may register a prefix. */
export function urlAclCommand(url: string, account: string): string {
  return `netsh http add urlacl url=${url} user=${/\s/.test(account) ? `"${account}"` : account}`
}

/** The account as far as the environment tells: that of a service names the machine in its place. */
export function accountOf(env: NodeJS.ProcessEnv): string {
  const name = env['USERNAME'] ?? 'Everyone'
  return env['USERDOMAIN'] === undefined ? name : `${env['USERDOMAIN']}\\${name}`
}

/** Which rule of UrlPrefix strings HTTP.SYS may have found broken; undefined when the text keeps those that can be told from it. */
export function urlRuleBroken(url: string): string | undefined {
  const match = /^([^:]*):\/\/(\[[^\]]*\]|[^:/]*)(?::([^/]*))?(.*)$/s.exec(url)
  if (match === null) return 'it is not of the form scheme://host:port/path/'
  const [, scheme, host, port, path] = match
  if (scheme !== 'http' && scheme !== 'https') return `the scheme is "${scheme}" and not http or https`
  if (host === '') return 'the host is missing'
  if (port === undefined || port === '') return 'the port is missing'
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) return `the port "${port}" is not a number from 1 to 65535`
  if (!path!.endsWith('/')) return 'it does not end with a slash'
  if (path!.includes('//')) return 'the path has an empty segment'
  if (/[?#%*\\]/.test(path!)) return 'the path has one of the characters ? # % * \\'
  return undefined
}
