#!/usr/bin/env node
// Not in dist: a clone has this file before it is built, so that `npm ci` can link it.
import '../dist/cli/main.js'
