import { expect, test } from 'vitest'
import { UrlPrefix } from '../../src/base/url-prefix.ts'
import { queueNamesOf } from '../../src/native/queue-names.ts'

test('the names of the longest prefix are as long as HTTP.SYS takes them: MAX_PATH bytes with the end', () => {
  const names = queueNamesOf(UrlPrefix.parse(`http://localhost:65535/${'long/'.repeat(50)}`))
  for (const name of names) expect(2 * (name.length + 1)).toBeLessThanOrEqual(260)
  expect(new Set(names).size).toBe(16)
})

test('prefixes that differ only behind what is readable have different names', () => {
  const long = `http://localhost:8080/${'long/'.repeat(50)}`
  const [first, second] = [UrlPrefix.parse(`${long}a/`), UrlPrefix.parse(`${long}b/`)].map((it) => queueNamesOf(it)[0])
  expect(first).not.toBe(second)
})
