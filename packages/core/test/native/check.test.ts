import { describe, expect, test } from 'vitest'
import { HttpSysError } from '../../src/base/errors.ts'
import { check, checkBool } from '../../src/native/check.ts'
import { urlAclCommand, urlRuleBroken } from '../../src/native/url-advice.ts'
import type { KernelApi } from '../../src/native/win32-api.ts'

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
    const env = { USERDOMAIN: 'SHOP', USERNAME: 'web user' }
    expect(urlAclCommand(URL, env)).toBe(`netsh http add urlacl url=${URL} user="SHOP\\web user"`)
    expect(urlAclCommand(URL, { USERNAME: 'anna' })).toBe(`netsh http add urlacl url=${URL} user=anna`)
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
