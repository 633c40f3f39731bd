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
    // Names every test, and those that can't be run with the reason.
    reporters: ['verbose'],
    // Wine starts slowly on a busy machine; a test that hangs says where by its own, shorter patience.
    testTimeout: 150_000,
    hookTimeout: 150_000,
  },
})
