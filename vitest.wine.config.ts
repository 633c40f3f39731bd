import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** The Wine tier: genuine Windows binaries of Node and koffi against Wine's http.sys; see tools/wine/README.md. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['packages/*/test/wine/**/*.wine.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    globalSetup: ['./tools/wine/set-up.ts'],
    // One wineserver, and one http.sys in it, at a time.
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
