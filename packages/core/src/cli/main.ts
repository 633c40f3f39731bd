#!/usr/bin/env node
import { HttpSysError } from '../base/errors.ts'
import { queryStatus } from '../broker/client/query-status.ts'
import { upgradeBroker } from '../broker/client/upgrade.ts'
import { run } from './run.ts'
import { status } from './status.ts'
import { upgrade } from './upgrade.ts'

const USAGE = `httpsys status [--json]

  Shows the broker of this user: ports, prefixes with their processes, and what it has answered by itself.

httpsys upgrade

  Replaces the running broker by one of this version and this Node: no connection is refused, nothing is lost.

httpsys run --prefix /2/ [--base http://localhost:8080] [--no-strip] -- node app.js

  Runs a program whose servers listen on a prefix instead of a TCP port, with no change of its code.

  --prefix    a path (/2/), a full prefix (http://*:80/2/), ports with their prefixes (3000=/2/,3001=/admin/), or auto
  --base      what short prefixes are put on                                  [HTTPSYS_BASE, http://localhost:8080]
  --no-strip  the app sees URLs with the prefix
`

const [command, ...rest] = process.argv.slice(2)
try {
  if (command === 'run') run(rest)
  else if (command === 'status') await status(rest, queryStatus)
  else if (command === 'upgrade') await upgrade(rest, upgradeBroker)
  else if (command === undefined || command === '--help' || command === 'help') process.stdout.write(USAGE)
  else fail(`httpsys: there is no command "${command}"\n\n${USAGE}`)
} catch (error) {
  const isOurs = error instanceof HttpSysError
  fail(isOurs ? error.message : `${(error as Error).message}\n\n${USAGE}`)
}

function fail(text: string): void {
  process.stderr.write(`${text.trimEnd()}\n`)
  process.exitCode = 2
}
