import { expect, test } from 'vitest'
import { windowsAdvice } from '../../src/cli/windows.ts'

const thumbprintOf = (file: string): string => `HASH-OF-${file}`
const advise = (text: string): string | undefined => windowsAdvice(text.split(' '), thumbprintOf)

test.each([
  ['status', 'netsh http show servicestate view=requestq'],
  ['show urlacl', 'netsh http show urlacl'],
  ['show sslcert', 'netsh http show sslcert'],
  ['add urlacl url=http://*:80/2/ user=SHOP\\web', 'netsh http add urlacl url=http://*:80/2/ user=SHOP\\web'],
  ['delete urlacl url=http://*:80/2/', 'netsh http delete urlacl url=http://*:80/2/'],
  ['delete sslcert ipport=0.0.0.0:443', 'netsh http delete sslcert ipport=0.0.0.0:443'],
  ['show cachestate', 'netsh http show cachestate'],
  ['show cachestate url=http://localhost:80/2/', 'netsh http show cachestate url=http://localhost:80/2/'],
  ['delete cache', 'netsh http delete cache'],
  ['delete cache url=http://localhost:80/2/', 'netsh http delete cache url=http://localhost:80/2/ recursive=yes'],
  ['delete cache url=http://localhost:80/2/a', 'netsh http delete cache url=http://localhost:80/2/a'],
])('httpsys %s on Windows says: %s', (text, line) => {
  expect(advise(text)!.split('\n')).toContain(`  ${line}`)
})

test('a user with a space in the name is quoted', () => {
  const args = ['add', 'urlacl', 'url=http://*:80/2/', 'user=NT AUTHORITY\\NETWORK SERVICE']
  expect(windowsAdvice(args, thumbprintOf)).toContain('user="NT AUTHORITY\\NETWORK SERVICE"')
})

test('a certificate is named by its thumbprint, and asks clients for theirs where that is wanted', () => {
  const text = advise(
    'add sslcert hostnameport=shop.example:443 cert=shop.crt key=shop.key clientcertnegotiation=allow',
  )
  expect(text).toMatch(
    /netsh http add sslcert hostnameport=shop\.example:443 certhash=HASH-OF-shop\.crt "appid=\{[\da-f-]{36}\}" certstorename=MY clientcertnegotiation=enable\n/,
  )
})

test.each([
  ['', 'hostnameport=localhost:8443', 'localhost'],
  [' hostnameport=shop.example:443', 'hostnameport=shop.example:443', 'shop.example'],
  [' ipport=0.0.0.0:443', 'ipport=0.0.0.0:443', 'localhost'],
])('a certificate for development is made by PowerShell: --self-signed%s', (place, shown, host) => {
  const text = advise(`add sslcert --self-signed${place}`)!
  expect(text).toContain(`New-SelfSignedCertificate -DnsName ${host} -CertStoreLocation Cert:\\LocalMachine\\My\n`)
  expect(text).toContain(`netsh http add sslcert ${shown} certhash=$($cert.Thumbprint) "appid={`)
})

test('no line has braces or parentheses that PowerShell would take for its own', () => {
  const text = advise('add sslcert hostnameport=shop.example:443 cert=shop.crt')!
  expect(text.replaceAll(/"[^"]*"/g, '')).not.toMatch(/[{}();]/)
})

test('serve and upgrade say that there is no broker', () => {
  for (const command of ['serve', 'upgrade']) expect(advise(command)).toContain('no broker on Windows')
})

test('run works as elsewhere', () => {
  expect(advise('run --prefix /2/ -- node app.js')).toBeUndefined()
})

test.each([
  ['add urlacl user=web', 'url= is missing'],
  ['add urlacl url=http://*:80/2/', 'user=NAME or group=NAME'],
  ['add urlacl url=http://*/2/ user=web', 'http://*:80/2/'],
  ['add sslcert ipport=0.0.0.0:443', 'cert= is missing'],
  ['delete sslcert', 'ipport= is missing'],
])('httpsys %s is refused: %s', (text, reason) => {
  expect(() => advise(text)).toThrow(reason)
})
