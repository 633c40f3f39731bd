import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { HttpSysError } from '../../src/base/errors.ts'
import type { UrlPrefix } from '../../src/base/url-prefix.ts'
import { hold } from '../../src/cli/hold.ts'
import type { PrefixHolder } from '../../src/cli/hold.ts'

let said = ''
beforeEach(() => {
  said = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text)
    return true
  })
})
afterEach(() => vi.restoreAllMocks())

/** Notes what is held until the command has ended. */
class Holder implements PrefixHolder {
  held: string[] = []
  isReleased = false

  hold({ href }: UrlPrefix, sddl?: string): string {
    if (href.includes('taken')) throw new Error('somebody has it')
    this.held.push(sddl === undefined ? href : `${href} for ${sddl}`)
    return `queue-${this.held.length}`
  }

  release(): void {
    this.isReleased = true
  }
}

async function run(args: string[], holder: Holder, atEnd: () => void = () => {}): Promise<void> {
  await hold(
    args,
    () => Promise.resolve(holder),
    () => Promise.resolve(atEnd()),
  )
}

test('holds every prefix until it is told to end', async () => {
  const holder = new Holder()
  let wasHeld: string[] = []
  await run(['url=http://*:80/a/', 'url=http://*:80/b/', 'sddl=D:(A;;GA;;;NS)'], holder, () => {
    wasHeld = [...holder.held]
    expect(holder.isReleased).toBe(false)
  })
  expect(wasHeld).toEqual(['http://*:80/a/ for D:(A;;GA;;;NS)', 'http://*:80/b/ for D:(A;;GA;;;NS)'])
  expect(holder.isReleased).toBe(true)
  expect(said).toContain(`http://*:80/b/ is held, as queue queue-2; processes join it with mode 'attach'`)
})

test('gives back what it has when it can not have all', async () => {
  const holder = new Holder()
  await expect(run(['url=http://*:80/a/', 'url=http://*:80/taken/'], holder)).rejects.toThrow('somebody has it')
  expect(holder.isReleased).toBe(true)
})

test.each([
  [[], 'url= is missing'],
  [['http://*:80/a/'], 'http://*:80/a/ is neither url=PREFIX nor sddl=DESCRIPTOR'],
  [['url=http://*:80/a/', 'user=web'], 'user=web is neither'],
  [['url=http://*:0/a/'], 'no port'],
  [['url=http://*/a/'], 'http://*:80/a/'],
])('%j is refused: %s', async (args, reason) => {
  const holder = new Holder()
  await expect(run(args, holder)).rejects.toThrow(reason)
  expect(holder.held).toEqual([])
})

test('says that nothing has to be held where there is no HTTP.SYS', async () => {
  const refusal = await hold(['url=http://*:80/a/'], undefined, () => Promise.resolve()).catch(
    (error: unknown) => error,
  )
  expect(refusal).toBeInstanceOf(HttpSysError)
  expect(refusal).toMatchObject({ code: 'ENOTSUP', remedy: expect.stringContaining('broker keeps the requests') })
})
