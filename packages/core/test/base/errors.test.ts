import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { once } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { HTTP_SYS_ERROR_CODES, HttpSysError, isHttpSysErrorCode } from '../../src/base/errors.ts'

const PARTS = {
  code: 'EADDRINUSE',
  syscall: 'listen',
  subject: 'http://localhost:8080/2/',
  reason: 'process 7 has claimed this prefix',
  remedy: 'Stop that process',
} as const

describe('HttpSysError', () => {
  test('says what failed, on what, why, and what to do', () => {
    const error = new HttpSysError(PARTS)
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe('HttpSysError')
    expect(error.message).toBe(
      'listen EADDRINUSE http://localhost:8080/2/: process 7 has claimed this prefix. Stop that process.',
    )
    expect(error).toMatchObject(PARTS)
  })

  test.each([
    ['no full stops', 'it is taken', 'Stop it', 'it is taken. Stop it.'],
    ['full stops on both', 'it is taken.', 'Stop it.', 'it is taken. Stop it.'],
    ['a quoted remedy', 'it is taken', 'Write "/2/"', 'it is taken. Write "/2/".'],
    ['a question', 'it is taken', 'Is it yours?', 'it is taken. Is it yours?'],
  ])('punctuates a message with %s', (_, reason, remedy, end) => {
    expect(new HttpSysError({ ...PARTS, subject: 'x', reason, remedy }).message).toBe(`listen EADDRINUSE x: ${end}`)
  })

  test('shows control characters in the message, so that a subject cannot forge a log line', () => {
    const error = new HttpSysError({ ...PARTS, subject: '/a\r\nERROR\u2028\u001b[31m/' })
    expect(error.message).toContain('/a\\u000d\\u000aERROR\\u2028\\u001b[31m/')
    expect(error.subject).toBe('/a\r\nERROR\u2028\u001b[31m/')
  })

  test('has the errno that Node gives for the same code', async () => {
    await using server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const [native] = (await once(createServer().listen(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException]
    const error = new HttpSysError(PARTS)
    expect({ code: error.code, errno: error.errno }).toEqual({ code: native.code, errno: native.errno })
  })

  test.each(HTTP_SYS_ERROR_CODES)('gives %s a negative errno, by which Node finds its name', (code) => {
    expect(getSystemErrorName(new HttpSysError({ ...PARTS, code }).errno!)).toBe(code)
  })

  test('has libuv’s errno also where the C library numbers otherwise, as on Windows', async () => {
    vi.resetModules()
    vi.doMock('node:os', () => ({ constants: { errno: { EADDRINUSE: 100 } } }))
    vi.doMock('node:util', () => ({ getSystemErrorMap: () => new Map([[-4091, ['EADDRINUSE', 'in use']]]) }))
    const errors = await import('../../src/base/errors.ts')
    vi.doUnmock('node:os')
    vi.doUnmock('node:util')
    expect(new errors.HttpSysError(PARTS).errno).toBe(-4091)
  })

  test('keeps the cause, and has no cause of its own', () => {
    const cause = new Error('below')
    expect(new HttpSysError({ ...PARTS, cause }).cause).toBe(cause)
    expect('cause' in new HttpSysError(PARTS)).toBe(false)
  })
})

describe('isHttpSysErrorCode', () => {
  test.each(HTTP_SYS_ERROR_CODES)('knows %s', (code) => {
    expect(isHttpSysErrorCode(code)).toBe(true)
  })

  test.each(['', 'EWHATEVER', 'einval', 'toString', 'EINVAL '])('refuses %j', (text) => {
    expect(isHttpSysErrorCode(text)).toBe(false)
  })
})

test('docs/errors.md describes every code, each once and in order, and no other', () => {
  const text = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8')
  const sections = text.split(/^## /m).slice(1)
  expect(sections.map((section) => section.split('\n')[0])).toEqual([...HTTP_SYS_ERROR_CODES])
  for (const section of sections) {
    expect(section).toMatch(/^\*\*When:\*\* \S/m)
    expect(section).toMatch(/^\*\*What to do:\*\* \S/m)
  }
})
