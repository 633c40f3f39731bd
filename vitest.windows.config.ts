import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** What needs HTTP.SYS itself; the user needs to be an administrator, since prefixes are registered without reservations. */
export default defineConfig({
  ...base,
  test: { ...base.test, include: ['packages/*/test/**/*.windows.ts'], reporters: ['verbose'] },
})
