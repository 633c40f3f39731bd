#!/usr/bin/env node
// Not in dist: a clone has this file before it is built, so that `npm ci` can link it.
import { existsSync } from 'node:fs'

const main = new URL('../dist/cli/main.js', import.meta.url)
if (existsSync(main)) await import(main.href)
else {
  process.stderr.write('httpsys is not built yet: run npm run build first.\n')
  process.exitCode = 1
}
