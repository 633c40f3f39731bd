import { describe, expect, test } from 'vitest'
import { HttpSysError } from '../../src/base/errors.ts'
import { accountName } from '../../src/native/account-name.ts'
import { check, checkBool } from '../../src/native/check.ts'
import { koffiMemory } from '../../src/native/load-win32.ts'
import { win32StatusOf } from '../../src/native/nt-status.ts'
import { withSecurity } from '../../src/native/security.ts'
import { ServerSession } from '../../src/native/server-session.ts'
import { accountOf, urlAclCommand, urlRuleBroken } from '../../src/native/url-advice.ts'
import { UrlGroup } from '../../src/native/url-group.ts'
import type { KernelApi, Win32Api } from '../../src/native/win32-api.ts'
import { Machine } from './double/machine.ts'

const URL = 'http://+:80/app/'

function errorOf(status: number, subject = URL): HttpSysError {
  try {
    check('HttpAddUrlToUrlGroup', status, subject)
  } catch (error) {
    return error as HttpSysError
  }
  throw new Error('nothing was thrown')
}

describe('check', () => {
  test('lets success pass', () => {
    expect(() => check('HttpAddUrlToUrlGroup', 0, URL)).not.toThrow()
  })

  test.each([
    [5, 'EACCES', 'not reserved for this user'],
    [183, 'EADDRINUSE', 'another process has claimed this prefix'],
    [32, 'EADDRINUSE', 'does not use HTTP.SYS'],
    [123, 'EINVAL', 'the name'],
    [1214, 'EINVAL', 'listen on the host'],
    [2, 'ECONNRESET', 'closed'],
    [1229, 'ECONNRESET', 'the client has gone'],
    [1236, 'ECONNRESET', 'the client has gone'],
    [120, 'ENOTSUP', 'version of Windows'],
    [31, 'EIO', 'Windows refused'],
  ])('makes %i to %s, saying that %s', (status, code, reason) => {
    const error = errorOf(status)
    expect(error).toBeInstanceOf(HttpSysError)
    expect(error).toMatchObject({ code, syscall: 'HttpAddUrlToUrlGroup', subject: URL })
    expect(error.reason).toContain(reason)
    expect(error.reason).toContain(`(Win32 error ${status})`)
    expect(error.remedy).not.toBe('')
  })

  test('shows the very command that reserves the prefix', () => {
    expect(errorOf(5).remedy).toContain(`netsh http add urlacl url=${URL} user=`)
    expect(urlAclCommand(URL, 'SHOP\\web user')).toBe(`netsh http add urlacl url=${URL} user="SHOP\\web user"`)
    expect(urlAclCommand(URL, 'anna')).toBe(`netsh http add urlacl url=${URL} user=anna`)
    expect(accountOf({ USERDOMAIN: 'SHOP', USERNAME: 'web user' })).toBe('SHOP\\web user')
    expect(accountOf({ USERNAME: 'anna' })).toBe('anna')
  })

  test.each([
    ['LS', 'NT AUTHORITY\\LOCAL SERVICE'],
    ['NS', 'NT AUTHORITY\\NETWORK SERVICE'],
    ['shop', 'NT SERVICE\\shop'],
  ])('asks Windows whom the prefix is to be reserved for: %s is %s', async (user, account) => {
    await using machine = new Machine()
    const { api } = machine.start(user)
    const group = new UrlGroup(api, new ServerSession(api), URL)
    const line = `netsh http add urlacl url=${URL} user="${account}" `
    expect(() => group.add(URL)).toThrow(expect.objectContaining({ remedy: expect.stringContaining(line) }))
    group.close()
    expect(machine.inspect()).toEqual([])
  })

  test('takes the name of the environment where Windows does not tell it', async () => {
    await using machine = new Machine()
    expect(accountName(machine.start('nobody').api)).toBeUndefined()
    expect(machine.inspect()).toEqual([])
  })

  test.each([87, 1305, 1332, 1336, 1337])(
    'says of a text that Windows refuses with %i how a descriptor is written',
    (status) => {
      const kernel = {
        GetLastError: () => status,
        ConvertStringSecurityDescriptorToSecurityDescriptorW: () => 0,
      } as unknown as KernelApi
      const api = { kernel, memory: koffiMemory } as Win32Api
      expect(() => withSecurity(api, 'nonsense', () => 0)).toThrow(
        /EINVAL nonsense: .*security descriptor.*sddl=D:\(A;;GA/,
      )
    },
  )

  test.each([
    [0, 0],
    [0xc000_0241, 1236],
    [0xc000_009a, 1450],
    [0x8000_0005, 234],
  ])('leaves it to Windows which Win32 code an NTSTATUS is: %i is %i', async (ntStatus, status) => {
    await using machine = new Machine()
    expect(win32StatusOf(machine.start().api.kernel, ntStatus)).toBe(status)
  })

  test('asks GetLastError where a function tells no reason itself', () => {
    const kernel = { GetLastError: () => 5 } as KernelApi
    expect(() => checkBool(kernel, 'CreateIoCompletionPort', 4, 'the port')).not.toThrow()
    expect(() => checkBool(kernel, 'CreateIoCompletionPort', 0, 'the port')).toThrow(/EACCES/)
  })

  test.each([
    ['http://+:80/app', 'slash'],
    ['http://+/app/', 'port is missing'],
    ['http://+:0/app/', 'port "0"'],
    ['http://+:080/app/', 'port "080"'],
    ['HTTP://+:80/app/', 'scheme'],
    ['http://:80/app/', 'host is missing'],
    ['http://+:80/a//b/', 'empty segment'],
    ['http://+:80/a?b/', 'characters'],
    ['nonsense', 'form'],
  ])('says which rule %s breaks: %s', (url, rule) => {
    expect(urlRuleBroken(url)).toContain(rule)
  })

  test('finds nothing wrong with a good prefix, but says how one is written', () => {
    expect(urlRuleBroken(URL)).toBeUndefined()
    expect(urlRuleBroken('https://[::1]:443/')).toBeUndefined()
    expect(errorOf(87)).toMatchObject({ code: 'EINVAL', remedy: expect.stringContaining('scheme://host:port/path/') })
  })
})
