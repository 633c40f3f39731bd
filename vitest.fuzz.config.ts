import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** The fuzz tier: `FUZZ_SECONDS` (10 unless told otherwise) for each property. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['packages/*/test/**/*.fuzz.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    testTimeout: 120_000,
  },
})
