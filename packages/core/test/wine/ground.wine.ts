import { Agent } from 'node:http'
import { describe, expect, test } from 'vitest'
import { NODE_MAJORS } from '../../../../tools/wine/directory.ts'
import { ask } from './ask.ts'
import { WineSite } from './wine-site.ts'

describe.each(NODE_MAJORS)('node.exe %i under Wine, without httpsys', (major) => {
  test('reaches HTTP.SYS through koffi, a completion port and bare struct bytes', async () => {
    await using site = await WineSite.open(major)
    await site.listen('owners/bare.mjs', [`http://+:${site.port}/bare/`])
    const agent = new Agent({ keepAlive: true })
    for (const path of ['/bare/1', '/bare/2?a=b']) {
      const { status, text } = await ask(site.base + path, { agent })
      expect([status, text]).toEqual([200, `raw URL ${path}`])
    }
    agent.destroy()
  })
})
