import { UrlPrefix } from '../base/url-prefix.ts'

/** httpsys's own in the table of certificates, where netsh wants to know who made an entry. */
const APP_ID = '{6d2f9a1e-7c3b-4e0f-9b55-2f0a4c8d1e73}'

/**
 * What to type on Windows in place of a command of httpsys: HTTP.SYS keeps reservations, certificates and queues itself, and netsh is
 * its tool. Undefined for commands that work there too.
 *
 * @param thumbprintOf - of the certificate in a file, as Windows names it
 * @throws TypeError for arguments that are missing, HttpSysError `EINVAL` for a prefix that is none
 */
export function windowsAdvice(args: readonly string[], thumbprintOf: (file: string) => string): string | undefined {
  const [command, object] = args
  if (command === 'status') {
    return runThis('HTTP.SYS shows its queues and prefixes, with their processes', [
      'netsh http show servicestate view=requestq',
    ])
  }
  if (command === 'serve' || command === 'upgrade') {
    return 'There is no broker on Windows: HTTP.SYS, a part of the kernel, does its work. Nothing has to be started or replaced.\n'
  }
  if (command === 'show' && object === 'cachestate') {
    return runThis('HTTP.SYS shows its cache', [`netsh http show cachestate${urlOf(args)}`])
  }
  if (command === 'delete' && object === 'cache') {
    return runThis('Run as administrator', [`netsh http delete cache${urlOf(args)}`])
  }
  if (command !== 'add' && command !== 'delete' && command !== 'show') return undefined
  if (object !== 'urlacl' && object !== 'sslcert') return undefined
  if (command === 'show') return runThis('HTTP.SYS shows them', [`netsh http show ${object}`])
  const given = new Map(args.slice(2).map(splitAtEquals))
  if (command === 'add' && object === 'sslcert' && given.has('--self-signed')) return selfSigned(given)
  const lines = object === 'urlacl' ? urlacl(command, given) : sslcert(command, given, thumbprintOf)
  return runThis('Run as administrator', lines)
}

/** With what is below, as here. */
function urlOf(args: readonly string[]): string {
  const url = new Map(args.slice(2).map(splitAtEquals)).get('url')
  if (url === undefined || url === '') return ''
  return ` url=${url}${args[0] === 'delete' && url.endsWith('/') ? ' recursive=yes' : ''}`
}

function urlacl(action: 'add' | 'delete', given: Map<string, string>): string[] {
  const url = UrlPrefix.parse(required(given, 'url', `${action} urlacl`)).href
  if (action === 'delete') return [`netsh http delete urlacl url=${url}`]
  const whom = given.get('user') ?? given.get('group')
  if (whom === undefined) throw new TypeError('httpsys add urlacl: give user=NAME or group=NAME')
  return [`netsh http add urlacl url=${url} user=${/\s/.test(whom) ? `"${whom}"` : whom}`]
}

function sslcert(
  action: 'add' | 'delete',
  given: Map<string, string>,
  thumbprintOf: (file: string) => string,
): string[] {
  const place = placeOf(given, `${action} sslcert`)
  if (action === 'delete') return [`netsh http delete sslcert ${place}`]
  const hash = thumbprintOf(required(given, 'cert', 'add sslcert'))
  const negotiation = given.get('clientcertnegotiation') ?? 'none'
  const ending = negotiation === 'none' || negotiation === 'disable' ? '' : ' clientcertnegotiation=enable'
  return [
    // netsh takes certificates with their keys from the machine's store alone.
    'certutil -importpfx CERTIFICATE-AND-KEY.pfx',
    addSslcert(place, hash) + ending,
  ]
}

/** For development: PowerShell makes the certificate, and everything else on this machine that asks Windows believes it. */
function selfSigned(given: Map<string, string>): string {
  const isSomewhere = given.has('hostnameport') || given.has('ipport')
  const place = isSomewhere ? placeOf(given, 'add sslcert') : 'hostnameport=localhost:8443'
  const host = given.get('hostnameport')?.replace(/:\d*$/, '') ?? 'localhost'
  return runThis('Run as administrator, in PowerShell', [
    `$cert = New-SelfSignedCertificate -DnsName ${host} -CertStoreLocation Cert:\\LocalMachine\\My`,
    'Export-Certificate $cert -FilePath httpsys.cer; certutil -addstore Root httpsys.cer',
    addSslcert(place, '$($cert.Thumbprint)'),
  ])
}

function addSslcert(place: string, hash: string): string {
  // PowerShell takes braces without quotes for a block of script.
  return `netsh http add sslcert ${place} certhash=${hash} "appid=${APP_ID}" certstorename=MY`
}

function placeOf(given: Map<string, string>, command: string): string {
  const name = given.has('hostnameport') ? 'hostnameport' : 'ipport'
  return `${name}=${required(given, name, command)}`
}

function required(given: Map<string, string>, name: string, command: string): string {
  const value = given.get(name)
  if (value === undefined || value === '') throw new TypeError(`httpsys ${command}: ${name}= is missing`)
  return value
}

function splitAtEquals(text: string): [string, string] {
  const index = text.indexOf('=')
  return index === -1 ? [text, ''] : [text.slice(0, index).toLowerCase(), text.slice(index + 1)]
}

function runThis(what: string, lines: readonly string[]): string {
  return `${what}:\n\n${lines.map((line) => `  ${line}\n`).join('')}`
}
