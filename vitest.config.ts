import { defineConfig } from 'vitest/config'

export default defineConfig({
  ssr: { resolve: { conditions: ['@httpsys/source', 'module', 'node', 'development|production'] } },
  test: {
    include: ['{packages,examples}/*/test/**/*.test.ts', '{bench,chaos}/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', '**/*.fuzz.test.ts'],
    globalSetup: ['./test/build.ts'],
    pool: 'forks',
    // No assertions: a machine that does other things beside must not fail a test.
    testTimeout: 90_000,
    hookTimeout: 90_000,
    expect: { poll: { timeout: 15_000 } },
  },
})
